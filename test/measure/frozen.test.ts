import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { setGoldenWeights } from './golden-network.js';

const { layers } = tfl;
const loss = 'softmaxCrossEntropy';
let counter = 0;

/** y = gain * x: a layer of the user's. */
class Gain extends tfl.layers.Layer {
  static readonly className = 'Gain';
  gain!: tfl.LayerVariable;
  override build(shape: tfl.Shape): void {
    this.gain = this.addWeight('kernel', [shape.at(-1)!], 'float32', tfl.initializers.ones());
    this.built = true;
  }
  override computeOutputShape(shape: tfl.Shape): tfl.Shape {
    return shape;
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.mul([inputs].flat()[0]!, this.gain.read());
  }
}

/** Layers of every kind that keep their weights in a place of their own. */
function network(): tfl.Sequential {
  counter++;
  const model = tfl.sequential({
    layers: [
      layers.dense({ units: 3, activation: 'relu', inputShape: [4, 2], name: `dense_${counter}` }),
      layers.batchNormalization({ name: `norm_${counter}` }),
      new Gain({ name: `gain_${counter}` }),
      layers.timeDistributed({
        layer: layers.dense({ units: 3, name: `inside_${counter}` }),
        name: `steps_${counter}`,
      }),
      layers.bidirectional({
        layer: layers.simpleRNN({
          recurrentInitializer: 'glorotNormal',
          units: 2,
          returnSequences: true,
          name: `rnn_${counter}`,
        }) as never,
        mergeMode: 'concat',
        name: `both_${counter}`,
      }),
      layers.lstm({ recurrentInitializer: 'glorotNormal', units: 2, name: `lstm_${counter}` }),
      tfl.sequential({ layers: [layers.dense({ units: 3, inputShape: [2], name: `nested_${counter}` })] }),
    ],
  });
  setGoldenWeights(model, 3);
  return model;
}

describe('frozen layers', () => {
  it('are left out, and count with countFrozen as if they were trained', async () => {
    const [open, frozen] = [network(), network()];
    const x = tf.randomUniform([5, 4, 2], -1, 1, 'float32', 6);
    const all = await measureSharpness(open, x, { loss });
    for (const layer of frozen.layers.slice(0, -1)) {
      layer.trainable = false;
    }

    const left = await measureSharpness(frozen, x, { loss });
    expect(left.parameters.map(({ name }) => name)).toEqual([`nested_${counter}/kernel`, `nested_${counter}/bias`]);
    expect(left.assumptions.join(' ')).toMatch(/frozen weights of .* are left out, .*countFrozen: true counts them/);

    const trainable = () => frozen.weights.map((weight) => (weight as unknown as { val: tf.Variable }).val.trainable);
    const [flags, before] = [trainable(), tf.memory().numTensors];
    expect(flags).toContain(false);
    const counted = await measureSharpness(frozen, x, { loss, countFrozen: true });
    expect(tf.memory().numTensors).toBe(before);
    expect(counted.parameters.map(({ trace }) => trace)).toEqual(all.parameters.map(({ trace }) => trace));
    expect(counted.minimumSharpness).toBe(all.minimumSharpness);
    expect(counted.assumptions.join(' ')).not.toMatch(/frozen/);
    // Nothing has been set free.
    expect(frozen.trainableWeights).toHaveLength(2);
    expect(trainable()).toEqual(flags);
    x.dispose();
  });

  it('count alone where nothing is trained', async () => {
    const model = tfl.sequential({ layers: [layers.dense({ units: 3, inputShape: [2], name: `only_${++counter}` })] });
    const x = tf.ones([2, 2]);
    const open = await measureSharpness(model, x, { loss });
    model.layers[0]!.trainable = false;
    await expect(measureSharpness(model, x, { loss })).rejects.toThrow(/every layer is frozen: .* countFrozen: true/);
    expect((await measureSharpness(model, x, { loss, countFrozen: true })).trace).toBe(open.trace);
    await expect(measureSharpness(model, x, { loss, countFrozen: 1 as never })).rejects.toThrow(/countFrozen must be/);
    x.dispose();
  });
});
