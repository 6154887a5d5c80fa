import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { unfold } from '../../src/network/graph.js';
import { masking } from '../../src/network/layers/masking.js';
import { autodiffTraces } from '../brute-force/autodiff-traces.js';
import { built, head, loss, name, type Symbolic, through, tokens, words } from './padded-words.js';

const { layers } = tfl;
async function expectTraces(model: tfl.LayersModel, inputs: tf.Tensor[]): Promise<void> {
  const expected = await autodiffTraces(model, [{ loss }], inputs);
  const before = tf.memory().numTensors;
  const reading = await measureSharpness(model, inputs, { loss });
  expect(tf.memory().numTensors).toBe(before);
  const total = [...expected.values()].reduce((sum, trace) => sum + trace, 0);
  expect(reading.parameters.map((each) => each.name).sort()).toEqual([...expected.keys()].sort());
  for (const { name: parameter, trace } of reading.parameters) {
    const allowed = 1e-4 * expected.get(parameter)! + 1e-8 * total;
    expect(Math.abs(trace - expected.get(parameter)!), parameter).toBeLessThan(allowed);
  }
  const sampled = await measureSharpness(model, inputs, { loss, method: { pairs: 5 } });
  expect(sampled.parameters.at(-1)!.trace / reading.parameters.at(-1)!.trace).toBeCloseTo(1, 4);
}

/** [N, T, 1] -> [N, T], with the mask. */
class LastChannel extends tfl.layers.Layer {
  static readonly className = 'LastChannel';
  override supportsMasking = true;
  override computeOutputShape([batch, steps]: tfl.Shape): tfl.Shape {
    return [batch!, steps!];
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.squeeze([inputs].flat()[0]!, [2]);
  }
}

const recurrent: Record<string, () => tfl.layers.Layer> = {
  simpleRNN: () => layers.simpleRNN({ recurrentInitializer: 'glorotNormal', units: 3, name: name('rnn') }),
  GRU: () =>
    layers.gru({ recurrentInitializer: 'glorotNormal', units: 2, resetAfter: false, name: name('gru') } as never),
  LSTM: () => layers.lstm({ recurrentInitializer: 'glorotNormal', units: 2, name: name('lstm') }),
  'bidirectional LSTM': () =>
    layers.bidirectional({
      layer: layers.lstm({ recurrentInitializer: 'glorotNormal', units: 2, name: name('lstm') }) as never,
      mergeMode: 'concat',
      name: name('both'),
    }),
};

describe('masks reach the recurrent layers', () => {
  it.each(Object.keys(recurrent))('from an embedding: %s', async (kind) => {
    const x = tfl.input({ shape: [4] });
    const make = (maskZero: boolean) => through(x, words(maskZero), recurrent[kind]!(), head());
    const model = built(x, make(true));
    expect(unfold(model).steps.some(({ mask }) => mask !== undefined)).toBe(true);
    const data = tokens();
    await expectTraces(model, [data]);
    // The mask matters: without it the traces are others.
    const masked = await measureSharpness(model, data, { loss });
    const open = await measureSharpness(built(x, make(false)), data, { loss });
    expect(Math.abs(open.trace / masked.trace - 1)).toBeGreaterThan(1e-3);
    data.dispose();
  });

  it.each([0, 0.5])('from a masking layer with the value %d, through layers that pass masks on', async (maskValue) => {
    const x = tfl.input({ shape: [4, 2] });
    const sequence = through(
      x,
      layers.masking({ maskValue, name: name('mask') }),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 3, activation: 'relu', name: name('dense') }),
      layers.lstm({ recurrentInitializer: 'glorotNormal', units: 2, returnSequences: true, name: name('lstm') }),
      layers.gru({ recurrentInitializer: 'glorotNormal', units: 2, name: name('gru') }),
      head(),
    );
    const model = built(x, sequence);
    const data = tf.tidy(() => {
      const values = tf.randomUniform([3, 4, 2], -1, 1, 'float32', 2);
      const kept = tf.tensor3d([1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1], [3, 4, 1]);
      return tf.add(tf.mul(values, kept), tf.mul(tf.sub(1, kept), maskValue));
    });
    await expectTraces(model, [data]);
    data.dispose();
  });

  it('through merges, and into a model inside of the model', async () => {
    const x = tfl.input({ shape: [4] });
    const inner = tfl.sequential({
      layers: [layers.gru({ recurrentInitializer: 'glorotNormal', units: 2, inputShape: [4, 6], name: name('inner') })],
    });
    const both = through([through(x, words()), through(x, words())], layers.concatenate({ axis: -1 }));
    const alone = through(both, layers.lstm({ recurrentInitializer: 'glorotNormal', units: 2, name: name('lstm') }));
    const data = tokens();
    await expectTraces(built(x, through(alone, head())), [data]);
    await expectTraces(built(x, through(through(both, inner), head())), [data]);
    data.dispose();
  });

  it('to a softmax layer over positions', async () => {
    const x = tfl.input({ shape: [4] });
    const weights = through(
      x,
      words(),
      layers.dense({ units: 1, name: name('scores') }),
      new LastChannel({}),
      layers.softmax({ axis: -1 }),
    );
    const model = built(x, through(weights, head()));
    const data = tokens();
    await expectTraces(model, [data]);
    data.dispose();
  });
});

/** z of a softmax layer with a mask: tf.js adds -1e9 at the masked positions. */
class MaskedScores extends tfl.layers.Layer {
  static readonly className = 'MaskedScores';
  override call(inputs: tf.Tensor | tf.Tensor[], { mask }: { mask: tf.Tensor }): tf.Tensor {
    return tf.add([inputs].flat()[0]!, tf.mul(tf.sub(1, tf.cast(mask, 'float32')), -1e9));
  }
}

it('a loss takes z behind the mask of a last softmax, as of a network that points at a position', async () => {
  const x = tfl.input({ shape: [4] });
  const scores = through(x, words(), layers.dense({ units: 2, name: name('hidden') }), layers.dense({ units: 1 }));
  const places = through(scores, new LastChannel({}));
  const model = built(x, through(places, layers.softmax(), layers.reshape({ targetShape: [1, 4] })));
  const data = tokens();
  const masked = tfl.model({ inputs: x, outputs: through(places, new MaskedScores({})) });
  const expected = await autodiffTraces(masked, [{ loss: 'softmaxCrossEntropy' }], [data]);
  const before = tf.memory().numTensors;
  const reading = await measureSharpness(model, data, { loss: 'categoricalCrossentropy' });
  const total = [...expected.values()].reduce((sum, each) => sum + each);
  expect(reading.trace / total).toBeCloseTo(1, 4);
  const sampled = await measureSharpness(model, data, { loss: 'categoricalCrossentropy', method: { pairs: 40 } });
  expect(sampled.trace / total).toBeCloseTo(1, 4);
  expect(tf.memory().numTensors).toBe(before);
  data.dispose();
});

describe('the latest mask reaches every layer that tf.js runs later', () => {
  const lstm = (config: object = {}) =>
    layers.lstm({ recurrentInitializer: 'glorotNormal', units: 2, name: name('lstm'), ...config });
  const stacks: Record<string, () => tfl.layers.Layer[]> = {
    'through a convolution': () => [
      layers.conv1d({ filters: 3, kernelSize: 3, padding: 'same', name: name('conv') }),
      lstm(),
    ],
    'through one that shortens the sequence': () => [
      layers.conv1d({ filters: 3, kernelSize: 2, name: name('conv') }),
      lstm(),
    ],
    'through one that shortens the sequence, backwards': () => [
      layers.conv1d({ filters: 3, kernelSize: 2, name: name('conv') }),
      lstm({ goBackwards: true }),
    ],
    'from the encoder to the decoder': () => [lstm(), layers.repeatVector({ n: 4 }), lstm()],
    'to a softmax over as many classes as positions': () => [lstm({ units: 4 }), layers.softmax()],
  };

  it.each(Object.keys(stacks))('%s', async (kind) => {
    const x = tfl.input({ shape: [4] });
    const data = tokens();
    await expectTraces(built(x, through(x, words(), ...stacks[kind]!(), head())), [data]);
    data.dispose();
  });

  it.each(['first', 'last'])('and one that is run after, where the masked branch is the %s', async (place) => {
    const [x, other] = [tfl.input({ shape: [4] }), tfl.input({ shape: [4, 2] })];
    const branches = [through(x, words(), lstm()), through(other, lstm())];
    const merged = through(place === 'first' ? branches : branches.reverse(), layers.concatenate());
    const model = built([x, other], through(merged, head()));
    // tf.js runs the last input of a merge first.
    const masked = unfold(model).steps.filter(({ mask }) => mask !== undefined);
    expect(masked.length).toBe(place === 'first' ? 1 : 2);
    const data = [tokens(), tf.randomNormal([3, 4, 2], 0, 1, 'float32', 3)];
    await expectTraces(model, data);
    tf.dispose(data);
  });

  it('also inside of models inside, and not before there is one', async () => {
    const [x, other] = [tfl.input({ shape: [4] }), tfl.input({ shape: [4, 2] })];
    const open = tfl.model({ inputs: other, outputs: through(other, lstm()) });
    const encoder = tfl.model({ inputs: x, outputs: through(x, words(), lstm({ returnSequences: true })) });
    const data = tokens();
    await expectTraces(built(x, through(x, encoder, open, head())), [data]);
    await expectTraces(built(x, through(x, words(), layers.dense({ units: 2, name: name('dense') }), open, head())), [
      data,
    ]);
    data.dispose();
  });
});

it('a mask reaches a layer at every time step as a whole', async () => {
  const x = tfl.input({ shape: [3, 2] });
  const inner = tfl.sequential({
    layers: [
      layers.dense({ units: 4, inputShape: [2], name: name('inner') }),
      layers.reshape({ targetShape: [2, 2] }),
      layers.lstm({ recurrentInitializer: 'glorotNormal', units: 2, name: name('lstm') }),
    ],
  });
  const stack = [layers.masking({ maskValue: 0 }), layers.timeDistributed({ layer: inner as never }), layers.flatten()];
  const data = tf.tidy(() => tf.concat([tf.zeros([3, 1, 2]), tf.randomNormal([3, 2, 2], 0, 1, 'float32', 4)], 1));
  await expectTraces(built(x, through(x, ...stack, head())), [data]);
  data.dispose();
});

it('a layer at every time step of every time step is measured, and a stateful one inside is refused', async () => {
  const x = tfl.input({ shape: [2, 3, 2] });
  const atEvery = (layer: tfl.layers.Layer) => layers.timeDistributed({ layer: layer as never, name: name('steps') });
  const data = tf.randomNormal([3, 2, 3, 2], 0, 1, 'float32', 4);
  const dense = layers.dense({ units: 2, name: name('dense') });
  await expectTraces(built(x, through(x, atEvery(atEvery(dense)), layers.flatten(), head())), [data]);
  data.dispose();
  const steps = tfl.input({ batchShape: [3, 2, 3, 2] });
  const lstm = layers.lstm({
    recurrentInitializer: 'glorotNormal',
    units: 2,
    stateful: true,
    batchInputShape: [3, 3, 2],
  });
  expect(() => unfold(tfl.model({ inputs: steps, outputs: through(steps, atEvery(lstm)) }))).toThrow(/is stateful/);
});

/** Masks positions whose first feature is 0, as a class of the user's may. */
class OwnMask extends tfl.layers.Layer {
  static readonly className = 'OwnMask';
  override supportsMasking = true;
  override computeOutputShape(shape: tfl.Shape): tfl.Shape {
    return shape;
  }
  override computeMask(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [x] = [inputs].flat() as [tf.Tensor3D];
      return tf.notEqual(tf.squeeze(tf.slice(x, [0, 0, 0], [-1, -1, 1]), [2]), 0);
    });
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.clone([inputs].flat()[0]!);
  }
}

describe('masks begin inside of a Sequential at every time step', () => {
  const lstm = () => layers.lstm({ recurrentInitializer: 'glorotNormal', units: 2, name: name('lstm') });
  const chains: [string, number[], () => tfl.layers.Layer][] = [
    ['a masking layer', [4, 2], () => layers.masking({ maskValue: 0, inputShape: [4, 2], name: name('mask') })],
    ['a class of the user', [4, 2], () => new OwnMask({ inputShape: [4, 2], name: name('own') })],
  ];
  if (tf.getBackend() !== 'wasm') {
    const embedding = () =>
      layers.embedding({ inputDim: 5, outputDim: 3, maskZero: true, inputShape: [4], name: name('inner') });
    chains.push(['an embedding', [4], embedding]);
  }

  it.each(chains)('with %s', async (_, shape, first) => {
    const chain = tfl.sequential({ layers: [first(), lstm()] }) as unknown as tfl.layers.Layer;
    const x = tfl.input({ shape: [2, ...shape] });
    const every = layers.timeDistributed({ layer: chain, name: name('every') });
    const model = built(x, through(x, every, layers.flatten(), head()));
    const data = tf.tidy(() => {
      const values = tf.floor(tf.randomUniform([3, 2, ...shape], 1, 5, 'float32', 2));
      const kept = tf.tensor([1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0, 1, 1], [3, 2, 4]);
      return tf.mul(values, shape.length > 1 ? tf.expandDims(kept, 3) : kept);
    });
    await expectTraces(model, [data]);
    data.dispose();
  });
});

describe('masking', () => {
  it('sets masked positions and their deltas to 0, in every column', () => {
    const layer = layers.masking({ maskValue: 2, name: name('mask') });
    const [operation] = masking(layer, () => {
      throw new Error('it has no weights');
    });
    tf.tidy(() => {
      const x = tf.tensor3d([2, 2, 2, 1, 0, 2, 2, 2], [2, 2, 2]);
      const { output, saved } = operation!.forward([x]);
      expect([...output.dataSync()]).toEqual([0, 0, 2, 1, 0, 2, 0, 0]);
      const delta = tf.reshape(tf.range(1, 17), [4, 2, 2]);
      const [back] = operation!.backward({ saved, inputShapes: [x.shape] }, delta, 2);
      expect([...back!.dataSync()]).toEqual([0, 0, 3, 4, 5, 6, 0, 0, 0, 0, 11, 12, 13, 14, 0, 0]);
    });
  });
});

/** Halves a vector; the second half doubled. */
class Halves extends tfl.layers.Layer {
  static readonly className = 'Halves';
  override computeOutputShape([batch, width]: tfl.Shape): tfl.Shape[] {
    return [
      [batch, width! / 2],
      [batch, width! / 2],
    ] as never;
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
    const [x] = [inputs].flat() as [tf.Tensor];
    const [first, second] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor];
    return [first, tf.mul(second, 2)];
  }
}

/** Attention pooling that ends the mask, as Keras users write it. */
class AttentionPool extends tfl.layers.Layer {
  static readonly className = 'AttentionPool';
  query!: tfl.LayerVariable;
  constructor(args: object) {
    super(args);
    this.supportsMasking = true;
  }
  override build(shape: tfl.Shape): void {
    this.query = this.addWeight('kernel', [shape.at(-1)!, 1], 'float32', tfl.initializers.glorotNormal({}));
    this.built = true;
  }
  override computeMask(): tf.Tensor {
    return null as never;
  }
  override computeOutputShape([batch, , width]: tfl.Shape): tfl.Shape {
    return [batch!, width!];
  }
  override call(inputs: tf.Tensor | tf.Tensor[], { mask }: { mask?: tf.Tensor | tf.Tensor[] }): tf.Tensor {
    return tf.tidy(() => {
      const [x] = [inputs].flat() as [tf.Tensor3D];
      const scores = tf.squeeze(tf.matMul(x, tf.reshape(this.query.read(), [1, -1, 1]) as tf.Tensor3D), [2]);
      const [kept] = [mask].flat();
      const open = kept ? tf.add(scores, tf.mul(tf.sub(tf.cast(kept, 'float32'), 1), 1e9)) : scores;
      return tf.sum(tf.mul(x, tf.expandDims(tf.softmax(open), 2)), 1);
    });
  }
}

describe('layers of the user', () => {
  it('get the mask, and end it', async () => {
    const x = tfl.input({ shape: [4] });
    const pooled = through(x, words(), new AttentionPool({ name: name('pool') }), head());
    const data = tokens();
    await expectTraces(built(x, pooled), [data]);
    data.dispose();
  });

  it('may have several outputs', async () => {
    const x = tfl.input({ shape: [4] });
    const hidden = through(x, layers.dense({ units: 6, activation: 'tanh', name: name('hidden') }));
    const [first, second] = new Halves({ name: name('halves') }).apply(hidden) as [Symbolic, Symbolic];
    const joined = through([first, through(second, layers.dense({ units: 3, name: name('arm') }))], layers.add());
    const data = tf.randomUniform([3, 4], -1, 1, 'float32', 4);
    await expectTraces(built(x, through(joined, head())), [data]);
    data.dispose();
  });
});

describe('the states of a recurrent layer', () => {
  it('start another one', async () => {
    const x = tfl.input({ shape: [4, 2] });
    const [, h, c] = layers
      .lstm({ recurrentInitializer: 'glorotNormal', units: 3, returnState: true, name: name('encoder') })
      .apply(x) as Symbolic[];
    const decoder = layers.lstm({ recurrentInitializer: 'glorotNormal', units: 3, name: name('decoder') });
    const decoded = decoder.apply([x, h!, c!]) as Symbolic;
    const data = tf.randomUniform([3, 4, 2], -1, 1, 'float32', 4);
    await expectTraces(built(x, through(decoded, head())), [data]);
    data.dispose();
  });

  it('come out beside a sequence of open length', async () => {
    const x = tfl.input({ shape: [null as never, 2] });
    const lstm = layers.lstm({
      recurrentInitializer: 'glorotNormal',
      units: 3,
      returnState: true,
      returnSequences: true,
      name: name('open'),
    });
    const [, h] = lstm.apply(x) as Symbolic[];
    const data = tf.randomUniform([2, 4, 2], -1, 1, 'float32', 4);
    await expectTraces(built(x, through(h!, head())), [data]);
    data.dispose();
  });
});
