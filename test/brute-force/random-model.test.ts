import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyNetwork, type Block, isBranching, losses } from './random-model.js';

test('a run of random networks reaches everything it should', () => {
  const specs = fc.sample(anyNetwork, { numRuns: 100, seed: 1 });
  const blocks = specs.flatMap((spec) => spec.blocks.filter((block) => !spec.sequential || !isBranching(block)));
  const some = (found: (block: Block) => boolean) => expect(blocks.some(found));
  for (const kind of [
    'dense',
    'conv',
    'maxPool',
    'averagePool',
    'zeroPadding',
    'batchNorm',
    'activation',
    'flatten',
    'reshape',
    'dropout',
    'globalMax',
    'globalAverage',
    'residual',
    'concatenate',
    'shared',
    'nested',
  ]) {
    some((block) => block.kind === kind).toBe(true);
  }
  for (const name of ['linear', 'relu', 'relu6', 'leakyRelu', 'sigmoid', 'tanh', 'softplus', 'elu', 'softmax']) {
    some((block) => 'activation' in block && block.activation.name === name).toBe(true);
  }
  for (const padding of ['same', 'valid']) {
    some((block) => block.kind === 'conv' && block.padding === padding && block.strides[0] > 1).toBe(true);
    some((block) => block.kind === 'conv' && block.padding === padding && block.dilation[1] > 1).toBe(true);
    some((block) => block.kind === 'maxPool' && block.padding === padding && block.strides[0] < block.size[0]).toBe(
      true,
    );
    some((block) => block.kind === 'averagePool' && block.padding === padding).toBe(true);
  }
  some((block) => block.kind === 'conv' && block.kernel[0] !== block.kernel[1]).toBe(true);
  for (const flag of [false, true]) {
    some((block) => 'bias' in block && block.bias === flag).toBe(true);
    some((block) => 'trainable' in block && block.trainable === flag).toBe(true);
    some((block) => block.kind === 'batchNorm' && block.center === flag).toBe(true);
    some((block) => block.kind === 'batchNorm' && block.scale === flag).toBe(true);
    for (const loss of losses) {
      expect(
        specs.some((spec) => spec.loss === loss && spec.compiled === flag),
        `${loss}, compiled ${flag}`,
      ).toBe(true);
    }
  }
  expect(specs.some((spec) => spec.secondInput && !spec.sequential)).toBe(true);
});
