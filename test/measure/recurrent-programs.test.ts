import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { trainedParameters, unfold } from '../../src/network/graph.js';
import { autodiffTraces } from '../brute-force/autodiff-traces.js';

/*
 * What public programs build of recurrent layers, in small: exact rules against tf.js' own gradients, one number at a time.
 */

const { layers } = tfl;
type Symbolic = tfl.SymbolicTensor;
const LOSS = 'softmaxCrossEntropy';
const [SAMPLES, CLASSES] = [2, 3];

let seed = 1;
/** Seeded weights: some would else stand too near to a kink for float32. */
function weights() {
  const random = () => tfl.initializers.randomNormal({ seed: seed++, stddev: 0.6 });
  return { kernelInitializer: random(), recurrentInitializer: random(), biasInitializer: random() };
}
const options = (units: number) => ({ units, ...weights() });
const dense = (units: number, more: object = {}) =>
  layers.dense({
    units,
    kernelInitializer: tfl.initializers.randomNormal({ seed: seed++, stddev: 0.8 }),
    biasInitializer: tfl.initializers.randomNormal({ seed: seed++, stddev: 0.3 }),
    ...more,
  });
const embedding = (maskZero: boolean) =>
  layers.embedding({
    inputDim: 4,
    outputDim: 2,
    maskZero,
    embeddingsInitializer: tfl.initializers.randomNormal({ seed: seed++ }),
  });
const apply = (layer: tfl.layers.Layer, inputs: Symbolic | Symbolic[], more?: object) =>
  layer.apply(inputs, more as never) as Symbolic;
const applied = (layer: tfl.layers.Layer, inputs: Symbolic | Symbolic[], more?: object) =>
  [layer.apply(inputs, more as never)].flat() as Symbolic[];
const sequence = (steps: number | null, features = 2) => tfl.input({ shape: [steps, features] });
const numbers = (...shape: number[]) => tf.randomNormal([SAMPLES, ...shape], 0, 1, 'float32', 70 + shape.length);
/** Words of a few tokens, padded with zeros behind. */
const words = () =>
  tf.tensor2d(
    [
      [1, 3, 2, 0],
      [2, 1, 0, 0],
    ],
    [SAMPLES, 4],
  );

/** Traces by the exact rules, none of them measured as a whole, by definition, from pairs, and with labels left out. */
async function expectTraces(
  model: tfl.LayersModel,
  inputs: tf.Tensor[],
  losses: ('softmaxCrossEntropy' | 'meanSquaredError')[] = [LOSS],
) {
  const graph = unfold(model);
  expect(graph.steps.filter(({ operation }) => operation.oneByOne)).toEqual([]);
  const expected = await autodiffTraces(
    model,
    losses.map((loss) => ({ loss })),
    inputs,
  );
  const loss =
    losses.length === 1 ? losses[0]! : Object.fromEntries(model.outputNames.map((name, i) => [name, losses[i]!]));
  const before = tf.memory().numTensors;
  const reading = await measureSharpness(model, inputs, { loss });
  const few = await measureSharpness(model, inputs, { loss, memoryMB: 0.05 });
  expect(tf.memory().numTensors).toBe(before);
  const total = [...expected.values()].reduce((sum, trace) => sum + trace, 0);
  expect(reading.parameters).toHaveLength(expected.size);
  trainedParameters(graph).forEach(({ variable }, b) => {
    const right = expected.get(variable.originalName)!;
    for (const { name, trace } of [reading.parameters[b]!, few.parameters[b]!]) {
      expect(Math.abs(trace - right), `${name}: ${trace} for ${right}`).toBeLessThan(1e-4 * right + 1e-7 * total);
    }
  });
  const sampled = await measureSharpness(model, inputs, { loss, method: { pairs: 8 }, seed: 5 });
  expect(tf.memory().numTensors).toBe(before);
  expect(Math.abs(sampled.trace / reading.trace - 1)).toBeLessThan(0.5);
  tf.dispose(inputs);
  return reading;
}

describe('an encoder and a decoder', () => {
  it('that takes its states, at open lengths, with the layers in models for inference too', async () => {
    const [source, target] = [sequence(null), sequence(null)];
    const [, h, c] = applied(layers.lstm({ ...options(2), returnState: true }), source);
    const decoder = layers.lstm({ ...options(2), returnSequences: true, returnState: true });
    const head = dense(CLASSES);
    const [decoded] = applied(decoder, target, { initialState: [h, c] });
    const model = tfl.model({ inputs: [source, target], outputs: apply(head, decoded!) });
    const states = [tfl.input({ shape: [2] }), tfl.input({ shape: [2] })];
    const [next, ...left] = applied(decoder, target, { initialState: states });
    tfl.model({ inputs: [target, ...states], outputs: [apply(head, next!), ...left] });
    await expectTraces(model, [numbers(3, 2), numbers(2, 2)]);
  });

  it('with attention over the padded source, begun with its last step', async () => {
    class LastStep extends tfl.layers.Layer {
      static readonly className = 'LastStepOfDates';
      override supportsMasking = true;
      override computeOutputShape([batch, , units]: tfl.Shape): tfl.Shape {
        return [batch!, units!];
      }
      override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
        const [x] = [inputs].flat() as [tf.Tensor];
        return tf.squeeze(tf.slice(x, [0, x.shape[1]! - 1, 0], [x.shape[0]!, 1, x.shape[2]!]), [1]);
      }
    }
    const [source, target] = [tfl.input({ shape: [4] }), tfl.input({ shape: [4] })];
    const encoder = apply(layers.lstm({ ...options(2), returnSequences: true }), apply(embedding(true), source));
    const last = apply(new LastStep({}), encoder);
    const decoder = apply(layers.lstm({ ...options(2), returnSequences: true }), apply(embedding(true), target), {
      initialState: [last, last],
    });
    const scores = apply(layers.dot({ axes: [2, 2] }), [decoder, encoder]);
    const attention = apply(layers.activation({ activation: 'softmax' }), scores);
    const context = apply(layers.dot({ axes: [2, 1] }), [attention, encoder]);
    const both = apply(layers.concatenate(), [context, decoder]);
    const hidden = apply(layers.timeDistributed({ layer: dense(2, { activation: 'tanh' }) }), both);
    const outputs = apply(layers.timeDistributed({ layer: dense(CLASSES) }), hidden);
    await expectTraces(tfl.model({ inputs: [source, target], outputs }), [words(), words()]);
  });

  it('that repeats the code, as in addition', async () => {
    const model = tfl.sequential();
    model.add(layers.gru({ ...options(2), inputShape: [3, 2] }));
    model.add(layers.repeatVector({ n: 2 }));
    model.add(layers.simpleRNN({ ...options(2), returnSequences: true }));
    model.add(layers.timeDistributed({ layer: dense(CLASSES) }));
    await expectTraces(model, [numbers(3, 2)]);
  });

  it('that translates with teacher forcing: both ways over the source, its states side by side', async () => {
    const [source, target] = [tfl.input({ shape: [4] }), tfl.input({ shape: [4] })];
    const both = layers.bidirectional({
      layer: layers.lstm({ ...options(1), returnState: true }) as tfl.RNN,
      mergeMode: 'concat',
    });
    const [, ...states] = applied(both, apply(embedding(true), source)) as [Symbolic, ...Symbolic[]];
    const joined = [0, 1].map((i) => apply(layers.concatenate(), [states[i]!, states[i + 2]!]));
    const decoder = layers.lstm({ ...options(2), returnSequences: true });
    const decoded = apply(decoder, apply(embedding(true), target), { initialState: joined });
    const model = tfl.model({ inputs: [source, target], outputs: apply(dense(CLASSES), decoded) });
    await expectTraces(model, [words(), words()]);
  });

  const stack = (more: object) =>
    layers.rnn({ cell: [layers.lstmCell(options(2)), layers.gruCell(options(1))], ...more }) as tfl.layers.Layer;

  it('that hand states on between stacks of cells, backwards', async () => {
    const [source, target] = [sequence(3), sequence(3)];
    const [, ...states] = applied(stack({ returnState: true }), source) as [Symbolic, ...Symbolic[]];
    const decoder = stack({ returnSequences: true, returnState: true, goBackwards: true });
    const [decoded, ...left] = applied(decoder, target, { initialState: states });
    const outputs = [apply(dense(CLASSES), decoded!), ...left.map((state) => apply(dense(1), state))];
    const model = tfl.model({ inputs: [source, target], outputs });
    const squared = left.map(() => 'meanSquaredError' as const);
    await expectTraces(model, [numbers(3, 2), numbers(3, 2)], [LOSS, ...squared]);
  });

  it('that take a stack of cells backwards through a padded sequence', async () => {
    const target = tfl.input({ shape: [4] });
    const decoded = apply(stack({ returnSequences: true, goBackwards: true }), apply(embedding(true), target));
    await expectTraces(tfl.model({ inputs: target, outputs: apply(dense(CLASSES), decoded) }), [words()]);
  });
});

describe('recurrent layers', () => {
  it('stacked, that write the next character', async () => {
    const model = tfl.sequential();
    model.add(layers.lstm({ ...options(2), returnSequences: true, inputShape: [3, 3] }));
    model.add(layers.lstm(options(2)));
    model.add(dense(CLASSES));
    await expectTraces(model, [numbers(3, 3)]);
  });

  it('that tell the weather: cells on top of each other, and dropout that is off', async () => {
    const cell = [
      layers.simpleRNNCell(options(2)),
      layers.lstmCell({ ...options(2), dropout: 0.3 }),
      layers.gruCell(options(2)),
    ];
    const model = tfl.sequential();
    model.add(layers.rnn({ cell, inputShape: [3, 2], returnSequences: true }) as tfl.layers.Layer);
    model.add(layers.gru({ ...options(2), dropout: 0.2, recurrentDropout: 0.2, goBackwards: true }));
    model.add(dense(1));
    await expectTraces(model, [numbers(3, 2)], ['meanSquaredError']);
  });

  it('that begin with an image: two dense layers make the states of a caption', async () => {
    const [image, caption] = [tfl.input({ shape: [3] }), tfl.input({ shape: [4] })];
    const states = [0, 1].map(() => apply(dense(2, { activation: 'relu' }), image));
    const decoder = layers.lstm({ ...options(2), returnSequences: true });
    const decoded = apply(decoder, apply(embedding(true), caption), { initialState: states });
    const model = tfl.model({ inputs: [image, caption], outputs: apply(dense(CLASSES), decoded) });
    await expectTraces(model, [numbers(3), words()]);
  });

  it('whose states go to two places, one of them a loss, from one layer called twice', async () => {
    const [first, second] = [sequence(2), sequence(3)];
    const shared = layers.gru({ ...options(2), returnState: true });
    const [, state] = applied(shared, first);
    const [last, after] = applied(shared, second, { initialState: [state!] });
    const seen = apply(layers.add(), [last!, state!]);
    const model = tfl.model({ inputs: [first, second], outputs: [apply(dense(CLASSES), seen), after!] });
    const reading = await expectTraces(model, [numbers(2, 2), numbers(3, 2)], [LOSS, 'meanSquaredError']);
    expect(reading.assumptions.join()).toMatch(/is called several times/);
  });

  it('both ways at open lengths, apart from each other, with states in and out', async () => {
    const x = sequence(null);
    const states = [dense(2), dense(2)].map((layer) => apply(layer, tfl.input({ shape: [2] })));
    const inputs = [x, ...states.map((each) => each.sourceLayer.inboundNodes[0]!.inputTensors[0]!)];
    const both = layers.bidirectional({
      layer: layers.gru({ ...options(2), returnSequences: true, returnState: true }) as tfl.RNN,
      mergeMode: null as never,
    });
    const [forward, backward, ...left] = applied(both, x, { initialState: states }) as [Symbolic, Symbolic];
    const outputs = [apply(dense(CLASSES), forward), apply(dense(CLASSES), backward), ...left];
    const squared = left.map(() => 'meanSquaredError' as const);
    await expectTraces(
      tfl.model({ inputs, outputs }),
      [numbers(3, 2), numbers(2), numbers(2)],
      [LOSS, LOSS, ...squared],
    );
  });
});

describe('the scale of states', () => {
  /** A SimpleRNN of ReLUs that takes states of another, and a head. */
  function reluPair(by: number) {
    seed = 300;
    const relu = (more: object = {}) => layers.simpleRNN({ ...options(3), activation: 'relu', ...more });
    const [source, target] = [sequence(3), sequence(2)];
    const encoder = relu({ returnState: true });
    const [, state] = applied(encoder, source);
    const decoder = relu();
    const decoded = apply(decoder, target, { initialState: [state!] });
    const head = dense(CLASSES);
    const model = tfl.model({ inputs: [source, target], outputs: apply(head, decoded) });
    // Kernels and biases of both, which share a state, and 1 / by in the head.
    tf.tidy(() => {
      for (const layer of [encoder, decoder]) {
        const [kernel, recurrentKernel, bias] = layer.getWeights() as [tf.Tensor, tf.Tensor, tf.Tensor];
        layer.setWeights([tf.mul(kernel, by), recurrentKernel, tf.mul(bias, by)]);
      }
      const [kernel, bias] = head.getWeights() as [tf.Tensor, tf.Tensor];
      head.setWeights([tf.div(kernel, by), bias]);
    });
    return model;
  }

  it('is that of the layers on both sides: traded where ReLUs let it through, and the value does not change', async () => {
    const inputs = [numbers(3, 2), numbers(2, 2)];
    const values: number[] = [];
    for (const by of [1, 8]) {
      const model = reluPair(by);
      values.push((await measureSharpness(model, inputs, { loss: LOSS })).minimumSharpness);
      expect((await measureSharpness(model, inputs, { loss: LOSS })).trace).toBeGreaterThan(values.at(-1)!);
    }
    expect(values[1]! / values[0]!).toBeCloseTo(1, 4);
    tf.dispose(inputs);
  });
});
