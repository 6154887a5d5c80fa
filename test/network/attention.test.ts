import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { measureSharpness } from '../../src/index.js';

const { layers } = tfl;

/** Matrices of 64 x 64: where BatchMatMulV2 of the native backend corrupts memory if the wrong factor is repeated. */
it('measures attention over 64 positions, whatever the chunks', async () => {
  const through = (x: tfl.SymbolicTensor, ...chain: tfl.layers.Layer[]) =>
    chain.reduce((y, layer) => layer.apply(y) as tfl.SymbolicTensor, x);
  const dot = (axes: [number, number], ...inputs: tfl.SymbolicTensor[]) =>
    layers.dot({ axes }).apply(inputs) as tfl.SymbolicTensor;
  const input = tfl.input({ shape: [64, 8] });
  const [q, k, v] = [1, 2, 3].map((seed) =>
    through(input, layers.dense({ units: 64, kernelInitializer: tfl.initializers.glorotNormal({ seed }) })),
  ) as [tfl.SymbolicTensor, tfl.SymbolicTensor, tfl.SymbolicTensor];
  const attended = dot([2, 1], through(dot([2, 2], q, k), layers.activation({ activation: 'softmax' })), v);
  const kernelInitializer = tfl.initializers.glorotNormal({ seed: 4 });
  const outputs = through(attended, layers.globalAveragePooling1d(), layers.dense({ units: 5, kernelInitializer }));
  const model = tfl.model({ inputs: input, outputs });
  const x = tf.randomNormal([12, 64, 8], 0, 1, 'float32', 5);
  const [small, large] = await Promise.all(
    [4, 256].map((memoryMB) => measureSharpness(model, x, { loss: 'softmaxCrossEntropy', memoryMB })),
  );
  large!.parameters.forEach(({ name, trace }, b) => {
    const other = small!.parameters[b]!.trace;
    expect(Math.abs(other - trace), name).toBeLessThan(1e-4 * trace + 1e-9 * large!.trace);
  });
  x.dispose();
  model.dispose();
});
