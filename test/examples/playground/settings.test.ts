import { describe, expect, test } from 'vitest';
import { readingsCsv } from '../../../examples/playground/src/readings-csv.js';
import {
  conflictOf,
  defaults,
  hashOf,
  remarksOn,
  type Settings,
  settingsOfHash,
} from '../../../examples/playground/src/settings.js';

describe('settings of the playground', () => {
  test('are text and back again', () => {
    const settings: Settings = { ...defaults, data: 'spirals', batchNorm: true, learningRate: 0.25, noise: 0.4 };
    expect(hashOf(settings)).toBe('data=spirals&batchNorm=true&learningRate=0.25&noise=0.4');
    expect(settingsOfHash(`#${hashOf(settings)}`)).toEqual({ settings, notes: [] });
    expect(Array.from({ length: 21 }, (_, i) => settingsOfHash(`noise=${(0.05 * i).toFixed(2)}`).notes).flat()).toEqual(
      [],
    );
    expect(hashOf(defaults)).toBe('');
    expect(settingsOfHash('')).toEqual({ settings: defaults, notes: [] });
  });

  test.each([
    ['batchSize=0', "batchSize can be a whole number from 1 to 1000, but not '0': 64 is taken."],
    ['batchSize=2.5', "batchSize can be a whole number from 1 to 1000, but not '2.5': 64 is taken."],
    ['noise=', "noise can be a multiple of 0.05 from 0 to 1, but not '': 0 is taken."],
    ['noise=0.07', "noise can be a multiple of 0.05 from 0 to 1, but not '0.07': 0 is taken."],
    ['learningRate=NaN', "learningRate can be a number from 0.000001 to 10, but not 'NaN': 0.1 is taken."],
    ['backend=cuda', "backend can be webgpu, webgl, wasm, cpu, but not 'cuda': wasm is taken."],
    ['batchNorm=1', "batchNorm can be true, false, but not '1': false is taken."],
    ['toString=1', "There is no setting 'toString'."],
  ])('of an address that says %s are the usual ones, and a line says so', (hash, line) => {
    expect(settingsOfHash(`#${hash}`)).toEqual({ settings: defaults, notes: [line] });
  });

  test('that train slowly are told of', () => {
    expect(remarksOn(defaults)).toEqual([]);
    expect(remarksOn({ ...defaults, optimizer: 'penalty', backend: 'webgl' })).toEqual([]);
    expect(remarksOn({ ...defaults, optimizer: 'penalty', backend: 'webgpu' })).toEqual([
      expect.stringMatching(/wasm or WebGL may be faster/),
    ]);
  });

  test('that cannot be trained with are known', () => {
    expect(conflictOf(defaults)).toBeUndefined();
    expect(conflictOf({ ...defaults, network: 'cnn', backend: 'webgl' })).toBeUndefined();
    expect(conflictOf({ ...defaults, network: 'cnn' })).toMatch(/cannot train convolutions on wasm: choose WebGPU/);
    expect(conflictOf({ ...defaults, network: 'cnn', data: 'moons', backend: 'cpu' })).toMatch(/need images/);
  });
});

test('readings as CSV have a line each, and the loss of the epoch that ended with them', () => {
  const reading = {
    minimumSharpness: 2.5,
    standardError: 0.1,
    reliable: true,
    collapsed: false,
    trace: 7,
    method: 'sampled',
  } as never;
  const end = { epoch: 0, step: 4, loss: 1.25, accuracy: 0.5, testLoss: 1.5, testAccuracy: 0.25 };
  const readings = [
    { ...(reading as object), epoch: 0, step: 2 },
    { ...(reading as object), epoch: 0, step: 4 },
  ] as never;
  expect(
    readingsCsv([{ number: 1, settings: defaults, readings, epochs: [end] }])
      .split('\n')
      .slice(1),
  ).toEqual(['1,0,2,2.5,0.1,true,false,7,sampled,,,,,', '1,0,4,2.5,0.1,true,false,7,sampled,1.25,0.5,1.5,0.25,', '']);
});
