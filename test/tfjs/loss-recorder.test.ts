import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LossRecorder, type RecordedLoss, recordLosses } from '../../src/tfjs/loss-recorder.js';

const { layers } = tfl;
const N = 4;

let tensors: number;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors);
});

function network(loss: tfl.ModelCompileArgs['loss'], ...inputShape: number[]): tfl.Sequential {
  const activation = typeof loss === 'string' ? 'softmax' : undefined;
  const model = tfl.sequential({ layers: [layers.dense({ units: 3, inputShape, ...(activation && { activation }) })] });
  model.compile({ loss, optimizer: 'sgd' });
  return model;
}

/** What a step of fit with these labels leaves with a recorder. */
async function recorded(
  model: tfl.LayersModel,
  ys: tf.Tensor | tf.Tensor[],
  args: tfl.ModelFitArgs = {},
  watch: (recorder: LossRecorder) => void = (recorder) => recorder.record(),
) {
  const xs = tf.randomNormal([N, ...model.inputs[0]!.shape.slice(1)] as number[], 0, 1, 'float32', 1);
  const recorder = recordLosses(model);
  watch(recorder);
  await model.fit(xs, ys, { epochs: 1, batchSize: N, verbose: 0, shuffle: false, ...args });
  const taken = recorder.take();
  const found = taken.map((loss) => loss && { target: loss.target.arraySync(), weights: loss.weights?.arraySync() });
  tf.dispose(taken.map((loss) => ({ ...loss }) as Partial<RecordedLoss> as tf.TensorContainer));
  recorder.remove();
  xs.dispose();
  tf.dispose(ys);
  (model.optimizer as tf.Optimizer).dispose();
  model.dispose();
  return found;
}

const oneHot = (...classes: number[]) => tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(classes, 'int32'), 3), 'float32'));
const rounded = (values: unknown) => (values as number[]).map((value) => Number(value.toFixed(5)));

describe('recordLosses', () => {
  it('knows whether it holds something, and whether the model has been compiled since', async () => {
    const model = network('categoricalCrossentropy', 2);
    const [xs, ys] = [tf.ones([N, 2]), oneHot(0, 1, 2, 0)];
    const recorder = recordLosses(model);
    const states: unknown[] = [];
    const note = () => void states.push([recorder.holds, recorder.isCurrent]);
    note();
    await model.trainOnBatch(xs, ys);
    note();
    recorder.record();
    await model.trainOnBatch(xs, ys);
    note();
    (model.optimizer as tf.Optimizer).dispose();
    model.compile({ loss: 'categoricalCrossentropy', optimizer: 'sgd' });
    note();
    recorder.remove();
    note();
    const [held, current] = [true, true];
    expect(states).toEqual([
      [false, current],
      [false, current],
      [held, current],
      [held, false],
      [false, false],
    ]);
    (model.optimizer as tf.Optimizer).dispose();
    model.dispose();
    tf.dispose([xs, ys]);
  });

  it('sees the targets and the weights of classes', async () => {
    const ys = oneHot(0, 2, 2, 1);
    const target = ys.arraySync();
    const [loss] = await recorded(network('categoricalCrossentropy', 2), ys, { classWeight: { 0: 2, 1: 0.5, 2: 5 } });
    expect(loss?.target).toEqual(target);
    expect(rounded(loss?.weights)).toEqual([2, 5, 5, 0.5]);
  });

  it('sees weights of 1 where there are none, also behind a loss function that takes the mean itself', async () => {
    const [plain] = await recorded(network('categoricalCrossentropy', 2), oneHot(0, 1, 2, 0));
    expect(rounded(plain?.weights)).toEqual([1, 1, 1, 1]);
    const [mean] = await recorded(network(tf.losses.softmaxCrossEntropy, 2), oneHot(0, 1, 2, 0));
    expect(rounded(mean?.weights)).toEqual([1, 1, 1, 1]);
  });

  it('sees the same weight everywhere where such a function leaves fit no other', async () => {
    const classWeight = { 0: 2, 1: 0.5, 2: 5 };
    const [loss] = await recorded(network(tf.losses.softmaxCrossEntropy, 2), oneHot(0, 1, 2, 0), { classWeight });
    expect(rounded(loss?.weights)).toEqual(Array(4).fill((2 + 0.5 + 5 + 2) / 4));
  });

  it('adds up what an unreduced loss function has for the outputs of a row', async () => {
    const halves = (y: tf.Tensor, z: tf.Tensor) => tf.mul(tf.square(tf.sub(y, z)), 0.5);
    const [loss] = await recorded(network(halves, 2), oneHot(0, 1, 2, 0));
    expect(rounded(loss?.weights)).toEqual([1, 1, 1, 1]);
  });

  it('has a weight for every position of a sequence', async () => {
    const [loss] = await recorded(network('categoricalCrossentropy', 5, 2), tf.ones([N, 5, 3]));
    expect((loss?.weights as number[][] | undefined)?.map(rounded)).toEqual(Array(N).fill(Array(5).fill(1)));
  });

  it('does not look at validation', async () => {
    const ys = oneHot(0, 1, 2, 0);
    const target = ys.arraySync();
    const [x, y] = [tf.ones([3, 2]), tf.zeros([3, 3])];
    const [loss] = await recorded(network('categoricalCrossentropy', 2), ys, { validationData: [x, y] });
    expect(loss?.target).toEqual(target);
    tf.dispose([x, y]);
  });

  it('sees each output by itself, and nothing of one that no trained weight has a part in', async () => {
    const input = tfl.input({ shape: [2] });
    const frozen = layers.dense({ units: 1, trainable: false }).apply(input) as tfl.SymbolicTensor;
    const head = layers.dense({ units: 3, activation: 'softmax' }).apply(input) as tfl.SymbolicTensor;
    const two = tfl.model({ inputs: input, outputs: [frozen, head] });
    two.compile({ loss: ['meanSquaredError', 'categoricalCrossentropy'], optimizer: 'sgd' });
    const [none, loss] = await recorded(two, [tf.ones([N, 1]), oneHot(0, 1, 2, 0)]);
    expect(none).toBeUndefined();
    expect(rounded(loss?.weights)).toEqual([1, 1, 1, 1]);
  });

  it('keeps nothing that it was not asked for', async () => {
    expect(await recorded(network('categoricalCrossentropy', 2), oneHot(0, 1, 2, 0), {}, () => {})).toEqual([
      undefined,
    ]);
    const stopped = (recorder: LossRecorder) => {
      recorder.record();
      recorder.stop();
    };
    expect(await recorded(network('categoricalCrossentropy', 2), oneHot(0, 1, 2, 0), {}, stopped)).toEqual([undefined]);
  });

  it('leaves training as it is, bit by bit, and the model as it was', async () => {
    const weightsAfter = async (watched: boolean) => {
      const model = network('categoricalCrossentropy', 2);
      tf.tidy(() => model.setWeights([tf.tensor2d([[1, 2, 3], [4, 5, 6]]), tf.ones([3])])); // biome-ignore format: one line a tensor
      const { lossFunctions } = (model as unknown as { model: { lossFunctions: unknown[] } }).model;
      const functions = [...lossFunctions];
      const recorders = watched ? [recordLosses(model), recordLosses(model)] : [];
      for (const recorder of recorders) {
        recorder.record();
      }
      const [xs, ys] = [tf.randomNormal([N, 2], 0, 1, 'float32', 2), oneHot(0, 2, 2, 1)];
      await model.fit(xs, ys, { epochs: 3, verbose: 0, shuffle: false });
      const found = model.getWeights().map((weight) => weight.arraySync());
      // In the order in which they came, not the reverse.
      for (const recorder of recorders) {
        recorder.remove();
      }
      expect(lossFunctions).toEqual(functions);
      tf.dispose([xs, ys]);
      (model.optimizer as tf.Optimizer).dispose();
      model.dispose();
      return found;
    };
    expect(await weightsAfter(true)).toEqual(await weightsAfter(false));
  });

  it('keeps its hands off losses that are no tensors of this engine', () => {
    const model = network('categoricalCrossentropy', 2);
    const { lossFunctions } = (model as unknown as { model: { lossFunctions: (() => unknown)[] } }).model;
    const foreign = { dataId: {} };
    lossFunctions[0] = () => foreign;
    const recorder = recordLosses(model);
    recorder.record();
    expect(lossFunctions[0]()).toBe(foreign);
    recorder.remove();
    (model.optimizer as tf.Optimizer).dispose();
    model.dispose();
  });

  it('has nothing to see in a model that is not compiled', () => {
    const model = tfl.sequential({ layers: [layers.dense({ units: 3, inputShape: [2] })] });
    const recorder = recordLosses(model);
    recorder.record();
    expect(recorder.take()).toEqual([undefined]);
    recorder.remove();
    model.dispose();
  });
});
