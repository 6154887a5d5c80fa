import { expect, test } from 'vitest';
import { checkpointStep } from '../../src/files/checkpoint-step.js';

test.each<[path: string, step: number | undefined]>([
  ['epoch12/model.json', 12],
  ['epoch-0012/model.json', 12],
  ['12/model.json', 12],
  ['resnet50/epoch3/model.json', 3],
  ['resnet50_epoch_3.keras', 3],
  ['ckpt-00010.keras', 10],
  ['weights.05-0.32.keras', 5],
  ['weights.05-0.32.hdf5', 5],
  ['best.h5', undefined],
  ['loss0.25_step400.keras', 400],
  ['model_v2.5.keras', undefined],
  ['best/model.json', undefined],
  ['model.json', undefined],
])('%s is of step %s', (path, step) => {
  expect(checkpointStep('runs/7', `runs/7/${path}`)).toBe(step);
});
