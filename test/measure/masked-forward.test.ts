import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { measuredAsWhole } from '../../src/network/layers/generic.js';
import { registerLayerRule } from '../../src/network/layers/table.js';
import { built, head, loss, through, tokens, words } from './padded-words.js';

const { layers } = tfl;

/** The mean over the positions that are not masked. */
class MeanOfWords extends tfl.layers.Layer {
  static readonly className = 'MeanOfWords';
  override computeOutputShape([batch, , width]: tfl.Shape): tfl.Shape {
    return [batch!, width!];
  }
  override call(inputs: tf.Tensor | tf.Tensor[], { mask }: { mask?: tf.Tensor }): tf.Tensor {
    return tf.tidy(() => {
      const [x] = [inputs].flat();
      return tf.mean(mask ? tf.mul(x!, tf.expandDims(tf.cast(mask, 'float32'), 2)) : x!, 1);
    });
  }
}

const model = () => {
  const x = tfl.input({ shape: [4] });
  return built(x, through(x, words(), new MeanOfWords({}), head()));
};

it.each([
  [
    'where the first sample has no padding',
    [
      [2, 2, 3, 1],
      [1, 4, 0, 0],
    ],
    1,
  ],
  ['where no sample has any', [[1, 2, 3, 4]], 1],
  [
    'where the head hides the difference',
    [
      [1, 2, 0, 0],
      [1, 2, 3, 4],
    ],
    0,
  ],
] as const)('a rule that takes no notice of the mask is refused in one line %s', async (_, rows, factor) => {
  registerLayerRule('MeanOfWords', (layer) => {
    const { usesMask: _, ...whole } = measuredAsWhole(layer, 'ties');
    return [whole];
  });
  const network = model();
  const last = network.layers.at(-1)!;
  tf.tidy(() => last.setWeights(last.getWeights().map((each) => tf.mul(each, factor))));
  const data = tf.tensor2d(rows.map((row) => [...row]));
  const before = tf.memory().numTensors;
  await expect(measureSharpness(network, data, { loss })).rejects.toThrow(
    /^Layer 'mean_of_words_\S+' \(MeanOfWords\) reads the mask .* usesMask: true, or measure a model without the mask\.$/,
  );
  expect(tf.memory().numTensors).toBe(before);
  data.dispose();
  network.dispose();
});

it('a rule that takes it measures what tf.js runs, and a model that was refused is measured once its rule does', async () => {
  registerLayerRule('MeanOfWords', (layer) => [{ ...measuredAsWhole(layer, 'ties'), usesMask: false }]);
  const network = model();
  const data = tokens();
  await expect(measureSharpness(network, data, { loss })).rejects.toThrow(/reads the mask/);
  registerLayerRule('MeanOfWords', (layer) => [measuredAsWhole(layer, 'ties')]);
  const before = tf.memory().numTensors;
  expect((await measureSharpness(network, data, { loss })).trace).toBeGreaterThan(0);
  expect(tf.memory().numTensors).toBe(before);
  data.dispose();
  network.dispose();
});

it('a model that tf.js cannot run is refused in one line: the masks of a model inside are gone when it ends', async () => {
  const [x, inside] = [tfl.input({ shape: [4] }), tfl.input({ shape: [4] })];
  const lstm = () => layers.lstm({ units: 2, recurrentInitializer: 'glorotNormal' });
  const encoder = tfl.model({ inputs: inside, outputs: through(inside, words(), layers.dense({ units: 2 })) });
  const branches = [through(x, encoder, lstm()), through(x, words(), lstm())];
  const data = tokens();
  // tf.js runs the last input of a merge first.
  const broken = built(x, through(branches, layers.concatenate(), head()));
  const before = tf.memory().numTensors;
  await expect(measureSharpness(broken, data, { loss })).rejects.toThrow(
    /^tf\.js cannot run this model on a sample: \S.*$/,
  );
  expect(tf.memory().numTensors).toBe(before);
  const running = built(x, through(branches.reverse(), layers.concatenate(), head()));
  expect((await measureSharpness(running, data, { loss })).trace).toBeGreaterThan(0);
  data.dispose();
});
