import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, expect } from 'vitest';
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

/** Made anew for each test of a file that calls `freshClassifier`, which then also sees to it that no tensor is left. */
export let model: tfl.LayersModel;
export let x: tf.Tensor2D;
let tensors: number;

export function freshClassifier(): void {
  beforeEach(() => {
    model = classifier();
    x = tf.randomNormal([12, 5], 0, 1, 'float32', 3);
    tensors = tf.memory().numTensors;
  });
  afterEach(() => {
    expect(tf.memory().numTensors).toBe(tensors);
    model.dispose();
    x.dispose();
  });
}
