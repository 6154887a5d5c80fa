import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MinibatchRecorder, recordMinibatches } from '../../src/tfjs/minibatch-recorder.js';

const samples = 7;
const batchSize = 3;

class Doubling extends tfl.layers.Layer {
  static readonly className = 'Doubling';
  override call(inputs: tf.Tensor | tf.Tensor[]) {
    return tf.mul(Array.isArray(inputs) ? inputs[0] : inputs, 2);
  }
}

const { dense, input } = { dense: tfl.layers.dense, input: tfl.input };
const head = () => dense({ units: 1 });
const sequential = (...layers: tfl.layers.Layer[]) => tfl.sequential({ layers: [...layers, head()] });

function functional(inputs: tfl.SymbolicTensor[], output: tfl.SymbolicTensor) {
  return tfl.model({ inputs, outputs: head().apply(output) as tfl.SymbolicTensor });
}

/** `model` gets inputs of `shapes` (without the batch axis), one output a sample. */
const networks: Record<string, () => { model: tfl.LayersModel; shapes: number[][]; dtype?: 'int32' }> = {
  dense: () => ({ model: sequential(dense({ units: 2, inputShape: [2] })), shapes: [[2]] }),
  conv2d: () => ({
    model: sequential(tfl.layers.conv2d({ filters: 2, kernelSize: 2, inputShape: [3, 3, 1] }), tfl.layers.flatten({})),
    shapes: [[3, 3, 1]],
  }),
  'batch normalization': () => ({
    model: sequential(tfl.layers.batchNormalization({ inputShape: [2] })),
    shapes: [[2]],
  }),
  dropout: () => ({ model: sequential(tfl.layers.dropout({ rate: 0.5, inputShape: [2] })), shapes: [[2]] }),
  lstm: () => ({ model: sequential(tfl.layers.lstm({ units: 2, inputShape: [3, 2] })), shapes: [[3, 2]] }),
  bidirectional: () => ({
    model: sequential(
      tfl.layers.bidirectional({
        layer: tfl.layers.lstm({ units: 2 }) as tfl.RNN,
        mergeMode: 'concat',
        inputShape: [3, 2],
      }),
    ),
    shapes: [[3, 2]],
  }),
  'time distributed': () => ({
    model: sequential(
      tfl.layers.timeDistributed({ layer: dense({ units: 2 }), inputShape: [3, 2] }),
      tfl.layers.flatten({}),
    ),
    shapes: [[3, 2]],
  }),
  embedding: () => ({
    model: sequential(tfl.layers.embedding({ inputDim: 100, outputDim: 2, inputShape: [2] }), tfl.layers.flatten({})),
    shapes: [[2]],
    dtype: 'int32',
  }),
  'a custom layer': () => ({ model: sequential(new Doubling({ inputShape: [2] } as never)), shapes: [[2]] }),
  'an explicit input layer': () => ({
    model: sequential(tfl.layers.inputLayer({ inputShape: [2] }), dense({ units: 2 })),
    shapes: [[2]],
  }),
  'two inputs': () => {
    const [a, b] = [input({ shape: [2] }), input({ shape: [3] })];
    return {
      model: functional([a, b], tfl.layers.concatenate().apply([b, a]) as tfl.SymbolicTensor),
      shapes: [[2], [3]],
    };
  },
  'one layer for two inputs': () => {
    const [a, b] = [input({ shape: [2] }), input({ shape: [2] })];
    const shared = dense({ units: 2 });
    const [x, y] = [shared.apply(a), shared.apply(b)] as tfl.SymbolicTensor[];
    return {
      model: functional([a, b], tfl.layers.concatenate().apply([y, x]) as tfl.SymbolicTensor),
      shapes: [[2], [2]],
    };
  },
  'one nested model for two inputs': () => {
    const [a, b] = [input({ shape: [2] }), input({ shape: [2] })];
    const shared = sequential(dense({ units: 2, inputShape: [2] }));
    const [x, y] = [shared.apply(a), shared.apply(b)] as tfl.SymbolicTensor[];
    return {
      model: functional([a, b], tfl.layers.concatenate().apply([x, y]) as tfl.SymbolicTensor),
      shapes: [[2], [2]],
    };
  },
  'one layer for an input and within a nested model': () => {
    const [a, b, inner] = [input({ shape: [2] }), input({ shape: [2] }), input({ shape: [2] })];
    const shared = dense({ units: 2 });
    const nested = tfl.model({ inputs: inner, outputs: shared.apply(inner) as tfl.SymbolicTensor });
    const [x, y] = [shared.apply(a), nested.apply(b)] as tfl.SymbolicTensor[];
    return {
      model: functional([a, b], tfl.layers.concatenate().apply([x, y]) as tfl.SymbolicTensor),
      shapes: [[2], [2]],
    };
  },
  'one input for several layers': () => {
    const x = input({ shape: [2] });
    const branches = [1, 2].map((units) => dense({ units }).apply(x)) as tfl.SymbolicTensor[];
    return { model: functional([x], tfl.layers.concatenate().apply(branches) as tfl.SymbolicTensor), shapes: [[2]] };
  },
  'an input that skips to the output': () => {
    const x = input({ shape: [1] });
    const sum = tfl.layers.add().apply([dense({ units: 1 }).apply(x) as tfl.SymbolicTensor, x]) as tfl.SymbolicTensor;
    return { model: tfl.model({ inputs: x, outputs: sum }), shapes: [[1]] };
  },
  'a nested functional model': () => {
    const [inner, x] = [input({ shape: [2] }), input({ shape: [2] })];
    const nested = tfl.model({ inputs: inner, outputs: dense({ units: 2 }).apply(inner) as tfl.SymbolicTensor });
    return { model: functional([x], nested.apply(x) as tfl.SymbolicTensor), shapes: [[2]] };
  },
  'a sequential model in a sequential model': () => ({
    model: sequential(sequential(dense({ units: 2, inputShape: [2] }))),
    shapes: [[2]],
  }),
  'initial states from another input': () => {
    const [a, b] = [input({ shape: [3, 2] }), input({ shape: [2] })];
    const rnn = tfl.layers.simpleRNN({ units: 2 });
    return {
      model: functional([a, b], rnn.apply(a, { initialState: [b] }) as tfl.SymbolicTensor),
      shapes: [[3, 2], [2]],
    };
  },
};

function build(name: string) {
  const { model, shapes, dtype = 'float32' } = networks[name]();
  model.compile({ loss: 'meanSquaredError', optimizer: 'sgd' });
  const xs = shapes.map((shape, index) => {
    const size = samples * shape.reduce((a, b) => a * b, 1);
    return tf.add(tf.reshape(tf.range(0, size, 1, dtype), [samples, ...shape]), tf.scalar(30 * index, dtype));
  });
  return { model, xs, ys: tf.zeros([samples, 1]), batch: (i: number) => xs.map((x) => rows(x, i)) };
}

const rows = (x: tf.Tensor, batch: number) => {
  const start = batch * batchSize;
  return tf.slice(x, start, Math.min(batchSize, samples - start)).arraySync();
};

/** Announces the model that tf.js trains, as the callback will see it. */
class Watching extends tfl.Callback {
  constructor(readonly watch: (model: tfl.LayersModel) => Partial<tfl.CustomCallbackArgs>) {
    super();
  }
  override async onTrainBegin() {
    Object.assign(this, this.watch(this.model));
  }
}

function recordEvery(batches: (batch: number) => boolean, recorders: MinibatchRecorder[], seen: unknown[]) {
  return new Watching((model) => {
    const recorder = recordMinibatches(model);
    recorders.push(recorder);
    return {
      onBatchBegin: async (batch) => {
        if (batches(batch)) {
          recorder.record();
        }
      },
      onBatchEnd: async () => {
        const taken = recorder.take();
        seen.push(taken?.map((tensor) => tensor.arraySync()));
        tf.dispose(taken ?? []);
      },
    };
  });
}

describe('recordMinibatches', () => {
  let recorders: MinibatchRecorder[] = [];
  beforeEach(() => {
    tf.engine().startScope();
    recorders = [];
  });
  afterEach(() => tf.engine().endScope());

  for (const name of Object.keys(networks)) {
    it(`sees the batches of fit: ${name}`, async () => {
      const { model, xs, ys, batch } = build(name);
      const seen: unknown[] = [];
      await model.fit(xs, ys, {
        batchSize,
        epochs: 1,
        shuffle: false,
        verbose: 0,
        validationData: [xs.map((x) => tf.sub(x, x)), ys],
        callbacks: [recordEvery(() => true, recorders, seen)],
      });
      recorders[0].remove();
      expect(seen).toEqual([batch(0), batch(1), batch(2)]);
    });
  }

  it('sees the batches of fitDataset', async () => {
    const { model, xs, ys } = build('two inputs');
    const dataset = tfd
      .zip({
        xs: tfd.zip(
          Object.fromEntries(
            model.inputNames.map((name, index) => [name, tfd.array(xs[index].arraySync() as never[])]),
          ) as never,
        ),
        ys: tfd.array(ys.arraySync() as never[]),
      } as never)
      .batch(batchSize);
    const seen: unknown[] = [];
    await model.fitDataset(dataset as never, {
      epochs: 2,
      verbose: 0,
      callbacks: [recordEvery(() => true, recorders, seen)],
    });
    recorders[0].remove();
    const epoch = [0, 1, 2].map((i) => xs.map((x) => rows(x, i)));
    expect(seen).toEqual([...epoch, ...epoch]);
  });

  it('copies only the batches asked for', async () => {
    const { model, xs, ys, batch } = build('dense');
    const seen: unknown[] = [];
    const counts: number[] = [];
    await model.fit(xs, ys, {
      batchSize,
      epochs: 1,
      shuffle: false,
      verbose: 0,
      callbacks: [
        new tfl.CustomCallback({ onBatchEnd: () => void counts.push(tf.memory().numTensors) }),
        recordEvery((i) => i === 1, recorders, seen),
      ],
    });
    expect(seen).toEqual([undefined, batch(1), undefined]);
    expect(counts[1] - counts[0]).toBe(1);
    expect(counts[2]).toBe(counts[0]);
  });

  it('keeps a batch until it is taken', async () => {
    const { model, xs, ys, batch } = build('dense');
    let recorder: MinibatchRecorder | undefined;
    await model.fit(xs, ys, {
      batchSize,
      epochs: 2,
      shuffle: false,
      verbose: 0,
      callbacks: [
        new Watching((trained) => {
          recorder = recordMinibatches(trained);
          return { onBatchBegin: async () => recorder?.record(), onBatchEnd: async () => recorder?.stop() };
        }),
      ],
    });
    const kept = recorder?.take();
    expect(kept?.map((tensor) => tensor.arraySync())).toEqual(batch(0));
    tf.dispose(kept ?? []);
    recorder?.remove();
  });

  it('ignores calls outside training', () => {
    const { model, xs } = build('dense');
    const trained = (model as unknown as { model: tfl.LayersModel }).model;
    const recorder = recordMinibatches(trained);
    recorder.record();
    tf.dispose(model.predict(xs[0]));
    tf.dispose(model.layers[0].apply(xs[0], { training: true }) as tf.Tensor);
    expect(recorder.take()).toBeUndefined();
    recorder.remove();
  });

  it('looks at no further calls once the batch is over', () => {
    const { model, xs } = build('dense');
    let isOver = false;
    const recorder = recordMinibatches(model, () => isOver);
    recorder.record();
    const elsewhere = tf.add(xs[0], 1);
    for (const x of [xs[0], elsewhere]) {
      tf.tidy(() => void model.call(x, { training: true }));
      isOver = true;
    }
    const taken = recorder.take()!;
    expect(taken[0].arraySync()).toEqual(xs[0].arraySync());
    tf.dispose([taken, elsewhere]);
    recorder.remove();
  });

  it('disposes what is left', () => {
    const { model, xs } = build('two inputs');
    const before = tf.memory().numTensors;
    const recorder = recordMinibatches(model);
    recorder.record();
    // An optimizer may evaluate the loss several times a batch.
    for (let i = 0; i < 3; i++) {
      tf.tidy(() => void model.call(xs, { training: true }));
    }
    expect(tf.memory().numTensors).toBe(before + 2);
    recorder.remove();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('takes no half batches, and disposes them', () => {
    const { model, xs } = build('one layer for two inputs');
    const before = tf.memory().numTensors;
    const recorder = recordMinibatches(model);
    model.layers[2].call = () => {
      throw new Error('the first of two calls');
    };
    recorder.record();
    expect(() => tf.tidy(() => void model.call(xs, { training: true }))).toThrow('the first of two calls');
    expect(tf.memory().numTensors).toBe(before + 1);
    expect(recorder.take()).toBeUndefined();
    expect(tf.memory().numTensors).toBe(before);
    recorder.remove();
  });

  describe('leaves the model as it was', () => {
    const graphOf = (model: tfl.LayersModel) => {
      const layers = model.layers;
      const tensors = layers.flatMap((layer) => [layer.output].flat());
      return [...layers, ...tensors].map((object) => Object.getOwnPropertyDescriptors(object));
    };

    it('with nobody else around', () => {
      const { model } = build('one input for several layers');
      const before = graphOf(model);
      const recorder = recordMinibatches(model);
      expect(graphOf(model)).not.toEqual(before);
      recorder.remove();
      expect(graphOf(model)).toEqual(before);
    });

    it.each([
      ['first in, first out', [0, 1]],
      ['last in, first out', [1, 0]],
    ])('with two recorders, %s', (_, order) => {
      const { model, xs } = build('one input for several layers');
      const before = graphOf(model);
      const pair = [recordMinibatches(model), recordMinibatches(model)];
      for (const recorder of pair) {
        recorder.record();
      }
      pair[order[0]].remove();
      tf.tidy(() => void model.call(xs, { training: true }));
      const taken = pair[order[1]].take();
      expect(taken?.[0].arraySync()).toEqual(xs[0].arraySync());
      tf.dispose(taken ?? []);
      pair[order[1]].remove();
      expect(graphOf(model)).toEqual(before);
    });

    it.each(['call', 'apply'] as const)("with a user's own %s", async (method) => {
      const { model, xs } = build('two inputs');
      const layer = model.layers[2];
      let calls = 0;
      const original = layer[method];
      const own = (...args: [never, never]) => {
        calls++;
        return original.apply(layer, args);
      };
      layer[method] = own as never;
      const recorder = recordMinibatches(model);
      recorder.record();
      tf.tidy(() => void model.call(xs, { training: true }));
      expect(calls).toBe(1);
      expect(recorder.take()?.length).toBe(2);
      recorder.remove();
      expect(layer[method]).toBe(own);
    });

    it("with a user's own apply that came later", () => {
      const { model, xs } = build('two inputs');
      const layer = model.layers[2];
      const recorder = recordMinibatches(model);
      const ours = layer.apply;
      const own = (...args: Parameters<typeof ours>) => ours.apply(layer, args);
      layer.apply = own;
      recorder.remove();
      expect(layer.apply).toBe(own);
      tf.tidy(() => void model.call(xs, { training: true }));
      expect(recorder.take()).toBeUndefined();
    });

    it("with a user's call hook", async () => {
      const { model, xs, ys } = build('dense');
      let calls = 0;
      model.layers[0].setCallHook(() => calls++);
      const seen: unknown[] = [];
      await model.fit(xs[0], ys, {
        batchSize,
        epochs: 1,
        verbose: 0,
        callbacks: [recordEvery(() => true, recorders, seen)],
      });
      recorders[0].remove();
      expect(calls).toBe(3);
      tf.dispose(model.predict(xs[0]));
      expect(calls).toBe(4);
    });
  });

  it('says which input cannot be seen', () => {
    const [a, b] = [input({ shape: [2] }), input({ shape: [2], name: 'lonely' })];
    const model = tfl.model({ inputs: [a, b], outputs: [dense({ units: 1 }).apply(a) as tfl.SymbolicTensor, b] });
    expect(() => recordMinibatches(model)).toThrow(
      /its input "lonely", so minibatches cannot be seen: pass \{ data \}/,
    );
  });
});
