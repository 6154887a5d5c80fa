import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { subjectOfModel } from '../../src/measure/subject.js';
import { unfold } from '../../src/network/graph.js';
import { norm, orthonormalize } from '../../src/symmetry/least-squares.js';
import { scaleSymmetry } from '../../src/symmetry/scale-symmetry.js';
import { sampleJacobian, weightValues } from '../brute-force/jacobian.js';
import { anyNetwork, type Block, buildNetwork, chainNetwork, type NetworkSpec } from '../brute-force/random-model.js';
import { lcg } from '../measure/golden-network.js';
import { freeScales } from './free-scales.js';

/** RESCALING_RUNS=5000 looks harder. */
const numRuns = Number(process.env.RESCALING_RUNS ?? 100);

/**
 * Number of free scales, counted without any rule: one log-scale for each weight tensor that may move (the trained ones and
 * the moving means), and as many directions as leave every output of many samples unchanged to first order.
 *
 * @returns undefined where some tensor changes no output at all: its scale is free for a reason of its own.
 */
function count(spec: NetworkSpec, largest = 6): { found: number; counted: number } | undefined {
  const { model, inputs } = buildNetwork(spec);
  try {
    if (model.trainableWeights.length === 0) {
      return undefined;
    }
    const found = scaleSymmetry(subjectOfModel(model, { loss: spec.loss }).graph).freedom;
    const means = model.weights.filter(({ originalName }) => originalName.endsWith('moving_mean'));
    const names = [...model.trainableWeights, ...means].map((weight) => weight.originalName);
    const values = weightValues(model);
    const columns = names.map(() => [] as number[]);
    for (let n = 0; n < 24; n++) {
      const sample = model.inputs.map((symbol, i) => {
        const size = (symbol.shape.slice(1) as number[]).reduce((a, b) => a * b, 1);
        return Float64Array.from(lcg(spec.seed + 100 * n + i, size), (u) => (2 * u - 1) * largest);
      });
      for (const row of sampleJacobian(model, spec.loss, sample, values).rows) {
        names.forEach((name, b) => {
          const weight = values.get(name)!.data;
          columns[b]!.push(row.get(name)!.reduce((sum, g, i) => sum + g * weight[i]!, 0));
        });
      }
    }
    const lengths = columns.map(norm);
    if (Math.min(...lengths) === 0) {
      return undefined;
    }
    const unit = columns.map((column, b) => column.map((v) => v / lengths[b]!));
    return { found, counted: names.length - orthonormalize(unit).basis.length };
  } finally {
    tf.dispose(inputs);
    tf.disposeVariables();
  }
}

const smooth = ['sigmoid', 'tanh', 'softplus'];

/**
 * The same network such that its scales are free for no reason but homogeneity: no layer of one unit, no unit that is off
 * or no bias that goes straight through in every sample (all those of linear layers add up to one), nothing that looks
 * homogeneous where the samples are (ReLU6 below 6, elu above 0).
 */
function generic(spec: NetworkSpec): NetworkSpec {
  const bent = <Part extends object>(part: Part): Part => {
    if (!('activation' in part)) {
      return part;
    }
    const { name, asLayer } = part.activation as { name: string; asLayer: boolean };
    const kept = smooth.includes(name) ? name : ['linear', 'relu', 'leakyRelu'].includes(name) ? 'leakyRelu' : 'tanh';
    return { ...part, activation: { name: kept, asLayer } };
  };
  const wide = (part: Block): Block => {
    if (part.kind === 'dense') {
      return { ...part, units: Math.max(2, part.units) };
    }
    return part.kind === 'conv' ? { ...part, filters: Math.max(2, part.filters) } : part;
  };
  return {
    ...spec,
    inputShape: [...spec.inputShape.slice(0, -1), 3],
    outputs: 4,
    blocks: spec.blocks.map(bent).map(wide),
    head: bent(spec.head),
  };
}

describe('the number of free scales', { timeout: Math.max(60_000, numRuns * 1000) }, () => {
  test('is never larger than what a Jacobian of the outputs allows', () => {
    fc.assert(
      fc.property(anyNetwork, (spec) => {
        const { found, counted } = count(spec) ?? { found: 0, counted: 0 };
        expect(found).toBeLessThanOrEqual(counted);
      }),
      { numRuns },
    );
  });

  test('is no smaller either where only homogeneity can free a scale', () => {
    let free = 0;
    fc.assert(
      fc.property(fc.oneof(anyNetwork, chainNetwork).map(generic), (spec) => {
        // Some weights and samples happen to leave more free: what none of several draws does without is the rule.
        let least = count(spec);
        for (let i = 1; i < 6 && least && least.counted > least.found; i++) {
          const again = count({ ...spec, seed: spec.seed + i });
          if (again && again.counted < least.counted) {
            least = again;
          }
        }
        const { found, counted } = least ?? { found: 0, counted: 0 };
        expect(found).toBe(counted);
        free += found;
      }),
      { numRuns },
    );
    expect(free).toBeGreaterThan(numRuns / 4);
  });

  test('is smaller on purpose for ReLU6, though nothing may reach 6', () => {
    const [spec] = fc.sample(anyNetwork, { numRuns: 1, seed: 1 });
    const relu6 = { name: 'relu6', asLayer: false } as const;
    const hidden = { kind: 'dense', units: 3, bias: true, trainable: true } as const;
    const chain = (activation: typeof relu6 | { name: 'relu'; asLayer: false }): NetworkSpec => ({
      ...spec!,
      inputShape: [3],
      loss: 'softmaxCrossEntropy',
      outputs: 4,
      seed: 5,
      blocks: [{ ...hidden, activation }],
      head: { ...hidden, kind: 'dense', activation },
    });
    expect(count(chain(relu6), 0.1)).toEqual({ found: 0, counted: 1 });
    expect(count(chain(relu6), 100)).toEqual({ found: 0, counted: 0 });
    expect(count(chain({ name: 'relu', asLayer: false }), 0.1)).toEqual({ found: 1, counted: 1 });
  });

  const { dense, simpleRNN, lstm, gru, bidirectional, timeDistributed } = tfl.layers;
  const recurrentInitializer = 'glorotNormal' as const;
  const relu = { activation: 'relu', recurrentInitializer } as const;
  const cells = (activation: 'relu' | 'tanh') =>
    [2, 3].map((units) => tfl.layers.simpleRNNCell({ units, activation, recurrentInitializer }));
  const both = (layer: tfl.layers.Layer, mergeMode: 'concat' | 'sum' | 'mul') =>
    bidirectional({ layer: layer as tfl.RNN, mergeMode });
  const image = (dataFormat: 'channelsFirst' | 'channelsLast', activation: 'relu' | 'tanh') =>
    tfl.layers.separableConv2d({ filters: 3, kernelSize: 2, dataFormat, activation });
  const steps = (...inside: tfl.layers.Layer[]) =>
    timeDistributed({ layer: tfl.sequential({ layers: inside }) as unknown as tfl.layers.Layer });
  const apply = (layer: tfl.layers.Layer, x: tfl.SymbolicTensor | tfl.SymbolicTensor[]) =>
    layer.apply(x) as tfl.SymbolicTensor;
  const withState = (layer: tfl.layers.Layer) => {
    const input = tfl.input({ shape: [4, 3] });
    const e = apply(dense({ units: 3, activation: 'relu' }), input);
    const state = apply(dense({ units: 3 }), apply(tfl.layers.flatten(), input));
    return tfl.model({ inputs: input, outputs: apply(dense({ units: 2 }), apply(layer, [e, state])) });
  };
  const branched = () => {
    const input = tfl.input({ shape: [3] });
    const outputs = apply(tfl.layers.add(), [apply(dense({ units: 3 }), input), apply(dense({ units: 3 }), input)]);
    return timeDistributed({ layer: tfl.model({ inputs: input, outputs }) as unknown as tfl.layers.Layer });
  };
  /** Behind a dense layer and in front of one. */
  const between =
    (layer: tfl.layers.Layer, shape = [4, 3]) =>
    () =>
      tfl.sequential({
        layers: [
          dense({ units: 3, activation: 'relu', inputShape: shape }),
          layer,
          ...(shape.length > 2 ? [tfl.layers.flatten()] : []),
          dense({ units: 4 }),
        ],
      });
  /** The free scales, and where tf.js finds more, how many: a sentence of the reading says so. */
  const inside: Record<string, [make: () => tfl.LayersModel, free: number, counted?: number]> = {
    'separable convolution': [between(image('channelsLast', 'relu'), [4, 4, 3]), 3],
    'separable convolution, tanh': [between(image('channelsLast', 'tanh'), [4, 4, 3]), 2],
    'separable convolution, channels first': [between(image('channelsFirst', 'relu'), [4, 4, 3]), 3],
    'separable convolution, channels first, tanh': [between(image('channelsFirst', 'tanh'), [4, 4, 3]), 2],
    'simple recurrence': [between(simpleRNN({ units: 3, recurrentInitializer })), 1],
    'simple recurrence, relu': [between(simpleRNN({ units: 3, ...relu })), 2],
    LSTM: [between(lstm({ units: 3, recurrentInitializer })), 1],
    'GRU, relu': [between(gru({ units: 3, ...relu })), 1],
    'both ways': [between(both(simpleRNN({ units: 3, recurrentInitializer }), 'mul')), 1],
    'both ways, relu': [between(both(simpleRNN({ units: 3, ...relu }), 'sum')), 2],
    'both ways, a product of relus': [between(both(simpleRNN({ units: 3, ...relu }), 'mul')), 3],
    'several cells': [between(tfl.layers.rnn({ cell: cells('tanh') }) as tfl.layers.Layer), 1],
    'several cells, relu': [between(tfl.layers.rnn({ cell: cells('relu') }) as tfl.layers.Layer), 3],
    'a state that comes in': [() => withState(gru({ units: 3, recurrentInitializer })), 1],
    'a state that comes in, relu': [() => withState(simpleRNN({ units: 3, ...relu })), 2],
    'a chain at every step': [
      between(steps(dense({ units: 4, ...{ activation: 'relu' }, inputShape: [3] }), dense({ units: 3 }))),
      3,
    ],
    'another model at every step': [between(branched()), 0, 2],
  };
  test.each(Object.entries(inside))('inside of %s', async (_, [make, free, counted = free]) => {
    const model = make();
    model.weights.forEach((weight, i) => {
      const shape = weight.shape as number[];
      const values = lcg(
        40 + i,
        shape.reduce((a, b) => a * b, 1),
      );
      tf.tidy(() => {
        weight.write(
          tf.tensor(
            values.map((u) => 1.4 * u - 0.5),
            shape,
          ),
        );
      });
    });
    const shape = [8, ...(model.inputs[0]!.shape.slice(1) as number[])];
    const x = tf.tensor(
      lcg(
        3,
        shape.reduce((a, b) => a * b, 1),
      ).map((u) => 3 * u - 1.5),
      shape,
    );
    expect(scaleSymmetry(unfold(model)).freedom).toBe(free);
    expect(freeScales(model, [x]).directions.length).toBe(counted);
    const { assumptions } = await measureSharpness(model, x, { loss: 'meanSquaredError' });
    expect(assumptions.some((each) => each.includes('is not invariant'))).toBe(counted > free);
    x.dispose();
    model.dispose();
  });

  test('counts what a layer in front of a recurrent one trades with its kernel', () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 3, activation: 'relu', inputShape: [4, 2] }),
        tfl.layers.simpleRNN({ units: 3, recurrentInitializer: 'glorotUniform' }),
        tfl.layers.dense({ units: 2 }),
      ],
    });
    const x = tf.randomUniform([5, 4, 2], -1, 1, 'float32', 1);
    const outputs = () => tf.tidy(() => (model.predict(x) as tf.Tensor).arraySync()) as number[][];
    const before = outputs();
    const factors: Readonly<Record<string, number>> = { 0: 4, 1: 4, 2: 1 / 4 };
    for (const [i, factor] of Object.entries(factors)) {
      tf.tidy(() => {
        model.weights[Number(i)]!.write(tf.mul(model.weights[Number(i)]!.read(), factor));
      });
    }
    expect(outputs()).toEqual(before);
    expect(scaleSymmetry(unfold(model)).freedom).toBe(1);
    x.dispose();
    model.dispose();
  });
});
