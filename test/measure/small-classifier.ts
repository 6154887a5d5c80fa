import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'vitest';
import type { SharpnessReading } from '../../src/measure/reading.js';

const { layers } = tfl;

/** Five inputs, six hidden units, three classes. */
export function classifier(loss: tfl.ModelCompileArgs['loss'] | null = 'categoricalCrossentropy'): tfl.LayersModel {
  const model = tfl.sequential({
    layers: [
      layers.dense({ units: 6, activation: 'relu', inputShape: [5], name: 'hidden' }),
      layers.dense({ units: 3, activation: 'softmax', name: 'head' }),
    ],
  });
  if (loss) {
    model.compile({ loss, optimizer: 'sgd' });
  }
  return model;
}

/** Everything that does not depend on the clock. */
export function numbers({ durationMs, ...rest }: SharpnessReading): Omit<SharpnessReading, 'durationMs'> {
  expect(durationMs).toBeGreaterThan(0);
  return rest;
}

export function expectSameTraces(a: SharpnessReading, b: SharpnessReading): void {
  expect(a.samples).toBe(b.samples);
  expect(a.minimumSharpness / b.minimumSharpness).toBeCloseTo(1, 6);
  a.parameters.forEach(({ trace }, i) => {
    expect(trace / b.parameters[i].trace).toBeCloseTo(1, 6);
  });
}
