import { checkNumber, checkWhole } from '../checks.js';
import { isHutchinson } from '../measure/options.js';
import { isModule } from './data-file.js';
import type { MeasureFilesOptions } from './measure-files.js';

/**
 * Looks at options of `measureFiles` as the command line has them, before anything is read.
 *
 * @throws Error with one line, which names options of the command line, for those that do not go together.
 * @throws RangeError with one line, which names them too, for numbers out of range.
 */
export function checkOptionWords(options: MeasureFilesOptions): void {
  const { data, random, limit, scale, expect, method = 'exact', part, seed, memoryMB } = options;
  if ((data === undefined) === (random === undefined)) {
    throw new Error('give either --data, a file of samples, or --random, how many to draw.');
  }
  if (random !== undefined) {
    checkWhole('--random', random, { atLeast: 1 }, 'a number of samples, for example --random 100');
    if (scale !== undefined) {
      throw new Error('--scale is for --data, and random samples are drawn as they are: leave --scale out.');
    }
  }
  if (limit !== undefined) {
    checkWhole('--limit', limit, { atLeast: 1 }, 'a number of samples, for example --limit 1000');
  }
  if (scale === 0) {
    throw new Error('--scale 0 leaves nothing of the data: give a factor, for example --scale 1/255.');
  }
  if (typeof data === 'string' && isModule(data)) {
    if (limit !== undefined || scale !== undefined) {
      throw new Error('--limit and --scale are for files of numbers: let the module export what is to be measured.');
    }
    if (expect !== undefined) {
      throw new Error('--expect goes with files of numbers, not with a module that exports data.');
    }
  }
  if (typeof method === 'object') {
    const { pairs, hutchinson, tolerance } = method;
    if (pairs !== undefined) {
      checkWhole('--method pairs', pairs, { atLeast: 2 }, 'a number of pairs, for example --method pairs=256');
    }
    if (hutchinson !== undefined) {
      const example = 'a number of probes, for example --method hutchinson=30';
      checkWhole('--method hutchinson', hutchinson, { atLeast: 2 }, example);
    }
    if (tolerance !== undefined) {
      checkNumber('--tolerance', tolerance, { above: 0, below: 1 }, 'for one percent it is --tolerance 0.01');
    }
  }
  if (part !== undefined) {
    checkNumber('--part', part, { above: 0, atMost: 1 }, 'a share of the samples, for example --part 0.1');
    if (part < 1 && isHutchinson(method)) {
      throw new Error(
        '--part goes with --method exact, --method pairs=256 or --tolerance, not with --method hutchinson.',
      );
    }
  }
  if (seed !== undefined) {
    checkWhole('--seed', seed);
  }
  if (memoryMB !== undefined) {
    checkNumber('--memory', memoryMB, { above: 0 }, 'megabytes, for example --memory 256');
  }
}

/** What only a reading finds out, in words of the programming interface, and in those of the command line. */
const translations: readonly (readonly [string, string])[] = [
  [': pass labels, or { xs, ys } or a dataset of these.', ': give --labels FILE, or data that have labels.'],
  [': pass labels, or a dataset of { xs, ys }.', ': give --labels FILE, or data that have labels.'],
  ['labels: give one tensor for each output', '--labels: give one file for each output, NAME=FILE'],
  ['labels: the model has no output', '--labels: the model has no output'],
  ["loss: '", "--loss '"],
  ["method: 'exact'", '--method exact'],
  ['method: { hutchinson }', '--method hutchinson'],
  ['raise part', 'raise --part'],
  ['memoryMB: ', '--memory '],
  ['memoryMB', '--memory'],
];

/** A line about a model, with the options of the command line in the place of those of `measureSharpness` and `measureFiles`. */
export function inOptionWords(line: string): string {
  return translations.reduce((text, [ofProgram, ofCommandLine]) => text.replaceAll(ofProgram, ofCommandLine), line);
}

/** What a reading advises while it runs, in the same words. */
export const adviceInOptionWords = (line: string): string =>
  line.replace(/method: \{ tolerance: ([\d.]+) \}/, '--tolerance $1').replace(/part: ([\d.]+)/, '--part $1');
