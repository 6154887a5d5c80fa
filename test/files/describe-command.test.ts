import { rmSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test, vi } from 'vitest';
import { type DescribeCommandOptions, describeCommand } from '../../src/files/describe-command.js';
import { denseModel, saveModel, testFolder } from './saved-model.js';

const folder = testFolder();

async function run(models: string[], options: DescribeCommandOptions = {}) {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const complaints: [string, number][] = [];
  const before = tf.memory().numTensors;
  await describeCommand(models, { backend: 'cpu', ...options }, (line, code) => complaints.push([line, code]));
  expect(tf.memory().numTensors).toBe(before);
  const out = write.mock.calls.map(([text]) => String(text)).join('');
  vi.restoreAllMocks();
  return { out, complaints };
}

test('scales and the loss, without data and weights', async () => {
  const model = await saveModel(denseModel(), folder.at('one'), { loss: 'categorical_crossentropy' });
  rmSync(folder.at('one', 'weights.bin'));
  const { out, complaints } = await run([model]);
  expect(complaints).toEqual([]);
  expect(out).toMatch(
    /^Loss: categoricalCrossentropy\.\nNo layers can trade scale: .*\n'dense' is fixed between .*\n$/,
  );
  expect(JSON.parse((await run([model], { json: true })).out)).toMatchObject({
    model,
    loss: 'categoricalCrossentropy',
    freedom: 0,
    pinned: [{ layer: 'dense' }],
  });
});

test('several models, a wrong one among them, and a loss that was guessed', async () => {
  const siamese = 'test/fixtures/keras/siamese';
  const { out, complaints } = await run([siamese, 'none', 'test/fixtures/keras3/two.keras']);
  expect(complaints).toEqual([["none: cannot read 'none': there is no such file.", 2]]);
  expect(out).toMatch(
    /^test\/fixtures\/keras\/siamese\nLoss: binaryCrossentropy of 'dense_1'\.\nThe file does not say /,
  );
  expect(out).toContain("'conv2d', 'batch_normalization', 'conv2d_1' and 'dense' trade scale: ");
  expect(out).toContain('\n\ntest/fixtures/keras3/two.keras\n');
  const json = JSON.parse((await run([siamese, 'none'], { json: true })).out);
  expect(json).toMatchObject([
    { model: siamese, freedom: 3, notes: [expect.stringContaining('by its last activation')] },
  ]);
  const loss = await run([siamese], { loss: 'none' });
  expect(loss.complaints).toEqual([[expect.stringMatching(/siamese: .*'none'/), 2]]);
});
