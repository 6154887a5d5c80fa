import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { unfold } from '../../src/network/graph.js';
import { planSteps, record, withoutBackward } from '../../src/network/tape.js';
import { memoryGauge } from '../../src/tfjs/memory-gauge.js';
import { built, head, loss, type Symbolic, through, tokens, words } from '../measure/padded-words.js';
import { autodiffTraces } from './autodiff-traces.js';
import { randomMaskedModel, STEPS } from './random-masked-model.js';

const { layers } = tfl;

const samples = () => [
  tf.tensor2d([
    [3, 1, 2, 0],
    [1, 4, 0, 0],
    [2, 2, 3, 1],
    [0, 2, 0, 1],
  ]),
  tf.tidy(() => {
    const kept = tf.tensor3d([1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1], [4, STEPS, 1]);
    return tf.mul(tf.randomNormal([4, STEPS, 2], 0, 1, 'float32', 3), kept);
  }),
];

const numbers = (tensors: readonly tf.Tensor[]) => tensors.map((each) => [...each.dataSync()]);

/** What tf.js puts out; null for a network that it cannot run, as where a mask does not fit. */
function predicted(model: tfl.LayersModel, xs: tf.Tensor[]): number[][] | null {
  try {
    return tf.tidy(() => numbers([model.predict(xs)].flat() as tf.Tensor[]));
  } catch {
    return null;
  }
}

/** What the network that is measured puts out. */
function unfolded(model: tfl.LayersModel, xs: tf.Tensor[]): { masked: number; values: number[][] } {
  const graph = unfold(model);
  const tape = record(graph, withoutBackward(planSteps(graph)), xs, memoryGauge());
  const values = numbers(tape.outputs);
  tape.dispose();
  return { masked: graph.steps.filter(({ mask }) => mask !== undefined).length, values };
}

it('the masks of networks made at random are those of tf.js', () => {
  const xs = samples();
  let masked = 0;
  let run = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const model = randomMaskedModel(seed);
    const expected = predicted(model, xs);
    if (expected) {
      const found = unfolded(model, xs);
      found.values.forEach((values, i) => {
        const most = Math.max(...values.map((y, j) => Math.abs(y - expected[i]![j]!)));
        expect(most, `seed ${seed}, output ${i}`).toBeLessThan(1e-5);
      });
      masked += found.masked > 0 ? 1 : 0;
      run++;
    }
    model.dispose();
  }
  expect(run).toBeGreaterThan(80);
  expect(masked).toBeGreaterThan(40);
  tf.dispose(xs);
});

it('a layer of several outputs is run again for a later one, with the mask at hand then: a model puts out what comes last', () => {
  const lstm = (config: object) => layers.lstm({ units: 2, recurrentInitializer: 'glorotNormal', ...config });
  const [tokens, sequence] = [tfl.input({ shape: [STEPS] }), tfl.input({ shape: [STEPS, 2] })];
  const [steps, state] = lstm({ returnSequences: true, returnState: true }).apply(sequence) as tfl.SymbolicTensor[];
  const behind = layers.dense({ units: 2 }).apply(steps!) as tfl.SymbolicTensor;
  const words = layers.embedding({ inputDim: 5, outputDim: 3, maskZero: true }).apply(tokens);
  const masked = lstm({}).apply(words) as tfl.SymbolicTensor;
  const model = tfl.model({ inputs: [tokens, sequence], outputs: [behind, steps!, masked, state!] });
  const xs = samples();
  const expected = predicted(model, xs)!;
  const found = unfolded(model, xs);
  expect(found.masked).toBe(2);
  found.values.flat().forEach((y, i) => {
    expect(y).toBeCloseTo(expected.flat()[i]!, 5);
  });
  tf.dispose(xs);
  model.dispose();
});

const initial = { recurrentInitializer: 'glorotNormal' } as const;
const lstm = (units: number, returnSequences = true): tfl.layers.Layer =>
  layers.lstm({ ...initial, units, returnSequences, dropout: 0.3 });
const bothWays = (layer: tfl.layers.Layer) => layers.bidirectional({ layer: layer as tfl.RNN, mergeMode: 'concat' });
const padded = () => tf.tidy(() => tf.where(tf.equal(tf.tile(tf.reshape(tokens(), [3, 4, 1]), [1, 1, 2]), 0), -1, 0.3));

/** What public programs build behind padded words, in small. */
const programs: Record<string, (x: Symbolic) => Symbolic> = {
  'tells the mood of a sentence by the largest of what is read both ways': (x) => {
    const read = bothWays(layers.gru({ ...initial, units: 2, returnSequences: true }) as tfl.layers.Layer);
    return through(
      x,
      words(),
      read,
      layers.globalMaxPooling1d({}),
      layers.dense({ units: 3, activation: 'relu' }),
      head(),
    );
  },
  'names each word: twice both ways, and a dense layer at every word': (x) => {
    const tag = layers.timeDistributed({ layer: layers.dense({ units: 3 }) });
    return through(x, words(), bothWays(lstm(1)), bothWays(lstm(1)), tag);
  },
  'tells what a question is about: both ways, then one way': (x) =>
    through(x, words(), bothWays(lstm(2)), lstm(2, false), layers.dense({ units: 2, activation: 'relu' }), head()),
  'writes the next word at every position': (x) => through(x, words(), lstm(2), layers.dropout({ rate: 0.2 }), head()),
  'compares two sentences, read by the same layers': (x) => {
    const [embed, read] = [words(), lstm(2, false)];
    const both = [through(x, embed, read), through(x, embed, layers.dropout({ rate: 0.1 }), read)];
    return through(both, layers.multiply(), head());
  },
  'has convolutions behind the words, and a recurrence behind those': (x) => {
    const convolution = layers.conv1d({ filters: 2, kernelSize: 3, padding: 'same', activation: 'relu' });
    return through(x, words(), convolution, layers.maxPooling1d({ poolSize: 1 }), lstm(2, false), head());
  },
};

describe('a network that', () => {
  it.each(Object.keys(programs))('%s is measured right', async (kind) => {
    const x = tfl.input({ shape: [STEPS] });
    const model = built(x, programs[kind]!(x));
    await expectTotal(model, tokens());
  });

  it('skips steps of a series that are padded with -1 is measured right', async () => {
    const x = tfl.input({ shape: [STEPS, 2] });
    await expectTotal(
      built(x, through(x, layers.masking({ maskValue: -1 }), lstm(2), lstm(2, false), head())),
      padded(),
    );
  });

  async function expectTotal(model: tfl.LayersModel, data: tf.Tensor): Promise<void> {
    const expected = await autodiffTraces(model, [{ loss }], [data]);
    const before = tf.memory().numTensors;
    const { parameters } = await measureSharpness(model, data, { loss });
    expect(tf.memory().numTensors).toBe(before);
    for (const { name, trace } of parameters) {
      const right = expected.get(name)!;
      expect(Math.abs(trace - right), `${name}: ${trace} for ${right}`).toBeLessThan(2e-4 * right + 1e-7);
    }
    data.dispose();
    model.dispose();
  }
});
