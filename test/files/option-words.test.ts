import { writeFileSync } from 'node:fs';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { describeCommand } from '../../src/files/describe-command.js';
import { type MeasuringWords, measuringOptions, measuringRun } from '../../src/files/measuring-run.js';
import { inOptionWords } from '../../src/files/option-words.js';
import { watchCommand } from '../../src/files/watch-command.js';
import { denseModel, npy, saveModel, testFolder } from './saved-model.js';

const folder = testFolder();

test.each<[words: MeasuringWords, line: string]>([
  [{}, 'give either --data, a file of samples, or --random, how many to draw.'],
  [{ data: ['x.npy'], random: 3 }, 'give either --data, a file of samples, or --random, how many to draw.'],
  [
    { random: 2.5 },
    '--random must be a whole number of at least 1, but it is 2.5: a number of samples, for example --random 100.',
  ],
  [{ random: 3, scale: 2 }, '--scale is for --data, and random samples are drawn as they are: leave --scale out.'],
  [
    { random: 3, limit: 0 },
    '--limit must be a whole number of at least 1, but it is 0: a number of samples, for example --limit 1000.',
  ],
  [{ data: ['x.npy'], scale: 0 }, '--scale 0 leaves nothing of the data: give a factor, for example --scale 1/255.'],
  [
    { data: ['x.mjs'], limit: 3 },
    '--limit and --scale are for files of numbers: let the module export what is to be measured.',
  ],
  [{ data: ['x.mjs'], expect: 'y.npy' }, '--expect goes with files of numbers, not with a module that exports data.'],
  [
    { random: 3, method: 'pairs=1' },
    '--method pairs must be a whole number of at least 2, but it is 1: a number of pairs, for example --method pairs=256.',
  ],
  [
    { random: 3, method: 'hutchinson=1' },
    '--method hutchinson must be a whole number of at least 2, but it is 1: a number of probes, for example --method hutchinson=30.',
  ],
  [
    { random: 3, tolerance: 5 },
    '--tolerance must be a number above 0 and below 1, but it is 5: for one percent it is --tolerance 0.01.',
  ],
  [
    { random: 3, part: 2 },
    '--part must be a number above 0 and at most 1, but it is 2: a share of the samples, for example --part 0.1.',
  ],
  [
    { random: 3, part: 0.5, method: 'hutchinson=3' },
    '--part goes with --method exact, --method pairs=256 or --tolerance, not with --method hutchinson.',
  ],
  [{ random: 3, seed: 1.5 }, '--seed must be a whole number, but it is 1.5.'],
  [
    { random: 3, memory: 0 },
    '--memory must be a finite number above 0, but it is 0: megabytes, for example --memory 256.',
  ],
])('%j is refused before anything is read', (words, line) => {
  expect(() => measuringOptions(words)).toThrow(expect.objectContaining({ message: line }));
});

test('all of the samples are a part that goes with every method', () => {
  expect(measuringOptions({ random: 3, part: 1, method: 'hutchinson=3' })).toMatchObject({ part: 1 });
});

const labelled = { loss: 'categorical_crossentropy' };

test.each<[words: MeasuringWords, line: RegExp]>([
  [{ method: 'hutchinson=3' }, /^Traces .* depend on the labels: give --labels FILE, or data that have labels\.$/],
  [{ loss: 'huberLoss' }, /^The curvature of 'huberLoss' .*: give --labels FILE, or data that have labels\.$/],
  [{ loss: 'foo' }, /^--loss 'foo' is not known\. Pass one of /],
  [{ loss: 'softmaxCrossEntropy' }, /which --loss 'categoricalCrossentropy' measures\.$/],
  [{ part: 0.1 }, /would be run, .*: raise --part\.$/],
  [{ memory: 0.00001 }, /^--memory 0\.00001 is too small: .* Raise --memory\.$/],
])('%j is told with the option by which it is mended', async (words, line) => {
  const model = await saveModel(denseModel(), folder.at('dense'), labelled);
  const told: [string, number][] = [];
  const complain = (text: string, code: number) => told.push([text, code]);
  const print = { one: () => {}, end: () => {} };
  await measuringRun([model], { random: 5, backend: 'cpu', ...words }, print, complain);
  expect(told).toEqual([[expect.stringContaining(`${model}: `), 2]]);
  expect(told[0]![0].slice(model.length + 2)).toMatch(line);
});

test.each([
  [
    "What pairs are drawn by leaves the range of float32: pass method: 'exact', or bring",
    'What pairs are drawn by leaves the range of float32: pass --method exact, or bring',
  ],
  ['method: { hutchinson }: this backend rounds', '--method hutchinson: this backend rounds'],
])('%s', (ofProgram, ofCommandLine) => {
  expect(inOptionWords(ofProgram)).toBe(ofCommandLine);
});

test('labels of several outputs', async () => {
  const told: string[] = [];
  const input = tfl.input({ shape: [3] });
  const outputs = ['a', 'b'].map(
    (name) => tfl.layers.dense({ units: 2, activation: 'softmax', name }).apply(input) as tfl.SymbolicTensor,
  );
  const model = await saveModel(tfl.model({ inputs: input, outputs }), folder.at('two'), labelled);
  writeFileSync(folder.at('y.npy'), npy([5, 2], Array(5).fill([0, 1]).flat()));
  const run = (words: MeasuringWords) =>
    measuringRun([model], { random: 5, backend: 'cpu', ...words }, { one: () => {}, end: () => {} }, (text) =>
      told.push(text),
    );
  await run({ labels: [`a=${folder.at('y.npy')}`], method: 'hutchinson=3' });
  await run({ labels: [`c=${folder.at('y.npy')}`] });
  expect(told).toEqual([
    expect.stringContaining('--labels: give one file for each output, NAME=FILE (a, b).'),
    expect.stringContaining("--labels: the model has no output 'c'"),
  ]);
});

test('watch and describe name the option too', async () => {
  const model = await saveModel(denseModel(), folder.at('run', 'dense'), labelled);
  const told: string[] = [];
  const complain = (text: string) => told.push(text);
  await watchCommand(folder.at('run'), { random: 5, backend: 'cpu', once: true, part: 0.1 }, complain);
  expect(told.splice(0)).toEqual([expect.stringMatching(/raise --part\.$/)]);
  await describeCommand([model], { backend: 'cpu', loss: 'foo' }, complain);
  expect(told).toEqual([expect.stringContaining(`${model}: --loss 'foo' is not known.`)]);
});
