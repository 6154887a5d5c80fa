import { basename, dirname, relative, sep } from 'node:path';

/** What the name of a checkpoint says of the training that it is of. */
export interface CheckpointName {
  /** Folders between the one that is watched and the checkpoint, by '/': a training each; '' where there are none. */
  readonly run: string;
  /** Undefined where it is to be counted. */
  readonly step?: number;
  /** Where the step comes from, or why there is none, in a few words. */
  readonly how: string;
}

/** Words that a step stands behind, those that tell most first: of `epoch=3-step=500` it is 500. The e of 1e-5 is none. */
const stepWords = ['step', 'iteration|iter|it', 'epoch|ep|(?<!\\d)e', 'checkpoint|chkpt|ckpt|cp'] as const;
/** Words whose numbers stay the same while a network is trained. */
const otherWords = 'fold|seed|trial|run|version|batch(?:[-_ ]?size)?|bs|lr|loss|acc|accuracy';
/** A day, perhaps with its time. */
const date =
  /(?<!\d)(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?:[-T_ .]?\d\d[-_:.h]?\d\d(?:[-_:.m]?\d\d)?(?:[-.]\d{3})?Z?)?(?!\d)/g;
/** Seconds or milliseconds since 1970, from 2001 on. */
const instant = /(?<!\d)1\d{9}(?:\d{3})?(?!\d)/g;

/**
 * The run and the step of a checkpoint, by its path.
 *
 * The step is the number behind a word such as epoch or step, in the name of the file, of the folder of a model.json, or of a folder around
 * it: 12 of `epoch12/model.json`, `ckpt-00012.keras` and `epoch-12/generator.keras`; else the number before such a word, as in
 * `rl_model_12_steps`; else the only whole number that stands by itself in the name: 12 of `weights.12-0.34.keras` and of
 * `model-v2-0012.keras`. Of several it is not known which, and dates are none: these are counted. A name without a number, such as
 * `best.keras`, is written again and again: it is a run of its own.
 *
 * @param folder that is watched: names above it do not count.
 */
export function checkpointName(folder: string, path: string): CheckpointName {
  const within = relative(folder, path);
  const file = basename(path) === 'model.json' ? dirname(within) : within.replace(/\.(keras|h5|hdf5)$/, '');
  const names = file.split(sep).filter((name) => name !== '.');
  const runWithout = (place: number) => names.filter((_, i) => i !== place).join('/');
  for (let place = names.length - 1; place >= 0; place--) {
    const found = numberAtWord(names[place]!);
    if (found) {
      return { run: runWithout(place), ...found };
    }
  }
  const last = names.length - 1;
  // Of what is neither a word nor a step, nothing is left that could be one.
  const rest = (names[last] ?? '')
    .replace(/\d+(?:\.\d+)?e[-+]?\d+/gi, '')
    .replace(new RegExp(`(?<![a-z])(?:${otherWords})[-_=. ]?\\d+(?:\\.\\d+)?`, 'gi'), '');
  const timeless = rest.replace(date, '').replace(instant, '');
  const numbers = [...timeless.matchAll(/(?<![a-z\d]|\d\.)\d+(?![a-z\d]|\.\d)/gi)].map(([number]) => Number(number));
  const [step] = numbers;
  if (numbers.length === 1 && Number.isSafeInteger(step)) {
    return { run: runWithout(last), step: step!, how: 'the number in its name' };
  }
  if (/(?<![a-z\d])\d+(?![a-z\d])/i.test(timeless)) {
    return { run: runWithout(last), how: 'counted, since it is not clear which number in its name is the step' };
  }
  return timeless === rest
    ? { run: names.join('/'), how: 'counted, since its name has no number' }
    : { run: runWithout(last), how: 'counted, since its name has only a time' };
}

/** Behind a word, else before one; undefined where there is none, or two that differ. */
function numberAtWord(given: string): { readonly step: number; readonly how: string } | undefined {
  const name = given.replace(/([a-z])([A-Z])/g, '$1-$2');
  for (const pattern of [
    (words: string) => `(?<![a-z])(?<word>${words})s?[-_=. ]?(?<number>\\d+)(?!\\d|\\.\\d)`,
    (words: string) => `(?<![a-z\\d.])(?<number>\\d+)[-_ ]?(?<word>${words})s?(?![a-z\\d]|[-_=. ]\\d)`,
  ]) {
    for (const words of stepWords) {
      const found = [...name.matchAll(new RegExp(pattern(words), 'gi'))].map(({ groups }) => groups!);
      const steps = new Set(found.map(({ number }) => Number(number)));
      const [step] = steps;
      if (steps.size > 1) {
        return undefined;
      }
      if (Number.isSafeInteger(step)) {
        return { step: step!, how: `the number at '${found[0]!.word}' in its name` };
      }
    }
  }
  return undefined;
}
