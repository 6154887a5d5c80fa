import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { measureFunctionSharpness, measureSharpness } from '../../src/index.js';

const { layers } = tfl;
const seeded = (seed: number) => ({ kernelInitializer: tfl.initializers.glorotNormal({ seed }) });
const [x, y] = [tf.randomNormal([6, 4], 0, 1, 'float32', 5), tf.randomNormal([6, 4], 0, 1, 'float32', 6)];

/** Mean and logarithm of the variance -> a draw; the mean where it is not training. */
class Sampling extends tfl.layers.Layer {
  static readonly className = 'IgnoresVariance';

  override computeOutputShape(shapes: tfl.Shape[]): tfl.Shape {
    return shapes[0]!;
  }

  override call([mean, logVariance]: tf.Tensor[], { training }: { training?: boolean }): tf.Tensor {
    return tf.tidy(() =>
      training ? tf.add(mean!, tf.mul(tf.exp(tf.div(logVariance!, 2)), tf.randomNormal(mean!.shape))) : tf.clone(mean!),
    );
  }
}

function autoencoder(isVariational: boolean): tfl.LayersModel {
  const input = tfl.input({ shape: [4] });
  const hidden = layers.dense({ units: 5, activation: 'relu', ...seeded(1) }).apply(input) as tfl.SymbolicTensor;
  const mean = layers.dense({ units: 2, name: 'mean', ...seeded(2) }).apply(hidden) as tfl.SymbolicTensor;
  const variance = () => layers.dense({ units: 2, name: 'variance', ...seeded(3) }).apply(hidden);
  const draw = isVariational ? new Sampling({ name: 'z' }).apply([mean, variance() as tfl.SymbolicTensor]) : mean;
  const outputs = layers.dense({ units: 4, ...seeded(4) }).apply(draw as tfl.SymbolicTensor) as tfl.SymbolicTensor;
  return tfl.model({ inputs: input, outputs });
}

const loss = 'meanSquaredError';

it.each([
  {},
  { method: { pairs: 20 } },
  { method: { tolerance: 0.1 } },
  { method: { hutchinson: 3 }, labels: y },
] as const)('what a layer reads in training only has gradient zero, with %o', async (options) => {
  const [model, plain] = [autoencoder(true), autoencoder(false)];
  const { numTensors } = tf.memory();
  const found = await measureSharpness(model, x, { loss, ...options });
  const expected = await measureSharpness(plain, x, { loss, ...options });
  expect(tf.memory().numTensors).toBe(numTensors);
  for (const { name, trace } of found.parameters.filter(({ layer }) => layer === 'variance')) {
    expect(trace, name).toBe(0);
  }
  expect(found.parameters).toHaveLength(8);
  // The curvature of a layer that nothing is known of is tried by random probes.
  expect(found.trace / expected.trace).toBeCloseTo(1, 'labels' in options ? -1 : 'method' in options ? 1 : 5);
  expect(found.minimumSharpness).toBeGreaterThan(0);
  model.dispose();
  plain.dispose();
});

/** Has a weight for training alone. */
class Anchor extends tfl.layers.Layer {
  static readonly className = 'WeightUnused';

  override build(): void {
    this.addWeight('unused', [3], 'float32', tfl.initializers.ones());
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.mul([inputs].flat()[0] as tf.Tensor, 2);
  }
}

it.each([{}, { method: { hutchinson: 3 }, labels: y }] as const)(
  'a weight that only training uses has trace zero, with %o',
  async (options) => {
    const model = tfl.sequential({
      layers: [
        layers.dense({ units: 3, inputShape: [4], ...seeded(1) }),
        new Anchor({}),
        layers.dense({ units: 4, ...seeded(2) }),
      ],
    });
    const { parameters } = await measureSharpness(model, x, { loss, ...options });
    expect(parameters.map(({ trace }) => trace > 0)).toEqual([true, true, false, true, true]);
    model.dispose();
  },
);

it('a function whose output depends on none of its variables is refused in one line', async () => {
  const [w, unused] = [tf.variable(tf.ones([4, 2])), tf.variable(tf.ones([4, 2]))];
  const f = (given: tf.Tensor) => tf.matMul(given as tf.Tensor2D, w as tf.Tensor2D);
  const cut = (given: tf.Tensor) => tf.matMul(given as tf.Tensor2D, tf.tensor2d([...w.dataSync()], [4, 2]));
  await expect(measureFunctionSharpness(f, [unused], x, { loss })).rejects.toThrow(
    /^[^\n]*none of the variables[^\n]*$/,
  );
  await expect(measureFunctionSharpness(cut, [w], x, { loss })).rejects.toThrow(/^[^\n]*none of the variables[^\n]*$/);
  const { parameters } = await measureFunctionSharpness(f, [w, unused], x, { loss });
  expect(parameters.map(({ trace }) => trace > 0)).toEqual([true, false]);
  w.dispose();
  unused.dispose();
});
