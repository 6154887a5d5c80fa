import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'vitest';
import { measureSharpness } from '../../src/index.js';
import { minimumSharpnessGradients } from '../../src/optimizers.js';

/**
 * Holds two models that compute the same, of as many weights in the same order and with a softmax, to readings, eigenvalues and gradients
 * of Minimum Sharpness that are the same.
 */
export async function expectSameReadings(
  model: tfl.LayersModel,
  reference: tfl.LayersModel,
  x: tf.Tensor,
  pairs: number,
): Promise<void> {
  const loss = 'categoricalCrossentropy';
  for (const method of ['exact', { pairs }] as const) {
    const options = { loss, method, seed: 1, eigenvalues: 2 } as const;
    const [a, b] = [await measureSharpness(model, x, options), await measureSharpness(reference, x, options)];
    expect(b.trace).toBeGreaterThan(1e-3);
    expect(a.minimumSharpness / b.minimumSharpness).toBeCloseTo(1, 4);
    expect(a.parameters.map(({ trace }) => trace / b.trace)).toEqual(
      b.parameters.map(({ trace }) => expect.closeTo(trace / b.trace, 4)),
    );
    expect(a.topEigenvalues!.given.map(({ value }) => value / b.trace)).toEqual(
      b.topEigenvalues!.given.map(({ value }) => expect.closeTo(value / b.trace, 4)),
    );
    expect(a.exact).toBe(b.exact);
  }
  const gradients = await Promise.all(
    [model, reference].map(async (each) => {
      const { parameters } = await minimumSharpnessGradients(each, x, { loss });
      const values = parameters.flatMap(({ gradient }) => [...gradient.dataSync()]);
      tf.dispose(parameters.map(({ gradient }) => gradient));
      return values;
    }),
  );
  expect(gradients[0]).toEqual(gradients[1]!.map((value) => expect.closeTo(value, 4)));
}
