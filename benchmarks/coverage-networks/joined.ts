import * as tf from '@tensorflow/tfjs';
import type { BuiltNetwork, CoverageNetwork } from './network.js';
import { amplify, changeWeight, normal, putToSleep, setRandomWeights } from './rare-units.js';

const { dense, add, multiply, concatenate, maximum } = tf.layers;
const SAMPLES = 3000;
const INPUTS = 8;
const UNITS = 12;
const RARE = [0, 1];

type Tensor = tf.SymbolicTensor;
type Options = BuiltNetwork['options'];

const layer = (
  name: string,
  x: Tensor,
  units = UNITS,
  activation: 'relu' | 'linear' | 'sigmoid' | 'softmax' = 'relu',
) => dense({ units, activation, name }).apply(x) as Tensor;

/** A graph with two rarely awake units in `first`, of which `second` makes much. */
function join(
  graph: (x: Tensor) => Tensor | Tensor[],
  seed: number,
  { share = 0.005, gain = 60, options = { loss: 'meanSquaredError' } as Options } = {},
): BuiltNetwork {
  const x = tf.input({ shape: [INPUTS] });
  const model = tf.model({ inputs: x, outputs: graph(x) });
  setRandomWeights(model, seed);
  const inputs = normal([SAMPLES, INPUTS], seed);
  putToSleep(model, inputs, { layer: 'first', units: RARE, share });
  amplify(model, 'second', RARE, gain);
  return { model, inputs, options };
}

/** A gate that opens on few samples and lets the outputs of large weights through. */
function gated(seed: number): BuiltNetwork {
  const x = tf.input({ shape: [INPUTS] });
  const gate = layer('gate', x, UNITS, 'sigmoid');
  const loud = layer('loud', layer('branch', x));
  const model = tf.model({
    inputs: x,
    outputs: layer('output', layer('behind', multiply().apply([gate, loud]) as Tensor), 3, 'linear'),
  });
  setRandomWeights(model, seed);
  const inputs = normal([SAMPLES, INPUTS], seed);
  changeWeight(model, 'gate', /kernel/, (values) => {
    values.forEach((value, i) => {
      values[i] = i % UNITS < 2 ? 6 * value : value;
    });
  });
  putToSleep(model, inputs, { layer: 'gate', units: RARE, share: 0.005, above: 0.3 });
  // The first output channels of the branch, not its inputs.
  changeWeight(model, 'loud', /kernel/, (values) => {
    values.forEach((value, i) => {
      values[i] = i % UNITS < 2 ? 100 * value : value;
    });
  });
  return { model, inputs, options: { loss: 'meanSquaredError' } };
}

/** A mixture of experts: a softmax of large logits chooses one, of which the first is hardly ever chosen and is loud. */
function mixture(seed: number): BuiltNetwork {
  const EXPERTS = 4;
  const x = tf.input({ shape: [INPUTS] });
  const choice = layer('choice', x, EXPERTS, 'softmax');
  const experts = Array.from({ length: EXPERTS }, (_, i) =>
    layer(`expert${i}b`, layer(`expert${i}a`, x), EXPERTS, 'relu'),
  );
  // Expert i speaks through its own row.
  const gates = tf.layers.reshape({ targetShape: [EXPERTS, 1] }).apply(choice) as Tensor;
  const rows = tf.layers
    .concatenate({ axis: 1 })
    .apply(experts.map((expert) => tf.layers.reshape({ targetShape: [1, EXPERTS] }).apply(expert) as Tensor)) as Tensor;
  const mixed = tf.layers.dot({ axes: 1 }).apply([gates, rows]) as Tensor;
  const model = tf.model({
    inputs: x,
    outputs: layer('output', tf.layers.flatten().apply(mixed) as Tensor, 3, 'linear'),
  });
  setRandomWeights(model, seed);
  const inputs = normal([SAMPLES, INPUTS], seed);
  changeWeight(model, 'choice', /kernel/, (values) => {
    values.forEach((value, i) => {
      values[i] = 5 * value;
    });
  });
  putToSleep(model, inputs, { layer: 'choice', units: [0], share: 0.005, above: 0.5 });
  amplify(
    model,
    'expert0b',
    Array.from({ length: UNITS }, (_, i) => i),
    60,
  );
  return { model, inputs, options: { loss: 'meanSquaredError' } };
}

/** Few samples carry a weight a thousand times as large, and the rarely awake units are behind that. */
function weighted(seed: number): BuiltNetwork {
  const network = join((x) => layer('output', layer('second', layer('first', x)), 3, 'linear'), seed);
  const heavy = tf.tidy(
    () => tf.randomUniform([SAMPLES], 0, 1, 'float32', seed).less(0.01).toFloat().mul(30).add(0.5) as tf.Tensor1D,
  );
  return { ...network, options: { ...network.options, sampleWeight: heavy } };
}

export const joinedNetworks: readonly CoverageNetwork[] = [
  {
    name: 'residual sum, squared error',
    build: (seed) =>
      join((x) => {
        const start = layer('start', x);
        const branch = layer('second', layer('first', start), UNITS, 'linear');
        return layer('output', layer('behind', add().apply([start, branch]) as Tensor), 3, 'linear');
      }, seed),
  },
  {
    name: 'two residual blocks, softmax',
    build: (seed) =>
      join(
        (x) => {
          const start = layer('start', x);
          const once = add().apply([start, layer('second', layer('first', start), UNITS, 'linear')]) as Tensor;
          const twice = add().apply([once, layer('fourth', layer('third', once), UNITS, 'linear')]) as Tensor;
          return layer('output', twice, 4, 'softmax');
        },
        seed,
        { gain: 15, options: { loss: 'categoricalCrossentropy' } },
      ),
  },
  {
    name: 'concatenation, squared error',
    build: (seed) =>
      join((x) => {
        const joined = concatenate().apply([layer('second', layer('first', x)), layer('other', x)]) as Tensor;
        return layer('output', layer('behind', joined), 3, 'linear');
      }, seed),
  },
  {
    name: 'maximum, squared error',
    build: (seed) =>
      join((x) => {
        const joined = maximum().apply([layer('second', layer('first', x)), layer('other', x)]) as Tensor;
        return layer('output', layer('behind', joined), 3, 'linear');
      }, seed),
  },
  {
    name: 'one layer twice, squared error',
    build: (seed) =>
      join((x) => {
        const first = dense({ units: INPUTS, activation: 'relu', name: 'first' });
        const once = first.apply(x) as Tensor;
        const second = dense({ units: INPUTS, activation: 'relu', name: 'second' });
        const twice = second.apply(layer('between', second.apply(once) as Tensor, INPUTS)) as Tensor;
        return layer('output', twice, 3, 'linear');
      }, seed),
  },
  { name: 'gate that hardly ever opens, squared error', build: gated },
  { name: 'mixture with an expert that is hardly ever chosen, squared error', build: mixture },
  {
    name: 'two outputs, softmax and squared error',
    build: (seed) =>
      join(
        (x) => {
          const first = layer('first', x);
          return [
            layer('class', layer('quiet', first), 4, 'softmax'),
            layer('value', layer('second', first), 2, 'linear'),
          ];
        },
        seed,
        { options: { loss: ['categoricalCrossentropy', 'meanSquaredError'], lossWeights: [1, 0.3] } as Options },
      ),
  },
  { name: 'sample weights, squared error', build: weighted },
];
