import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { describeSymmetries } from '../../src/measure/describe-symmetries.js';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { Attention, Product, UnknownAttention, UnknownProduct } from '../symmetry/attention-layers.js';
import { freeScales, leastTrace } from '../symmetry/free-scales.js';
import { rescale } from '../symmetry/rescale.js';
import { lcg } from './golden-network.js';

const { layers } = tfl;
type Tensor = tfl.SymbolicTensor;
type Layer = tfl.layers.Layer;

const loss = 'meanSquaredError';
const apply = (layer: Layer, ...inputs: Tensor[]) => layer.apply(inputs.length === 1 ? inputs[0] : inputs) as Tensor;
const dense = (name: string, units: number, more: object = {}) => layers.dense({ name, units, ...more });
const softmax = (x: Tensor) => apply(layers.activation({ activation: 'softmax' }), x);
const pool = (x: Tensor) => apply(layers.globalAveragePooling1d({}), x);

/** A model of a sequence of 5 steps with 4 features, with weights that are nowhere 0, and 12 samples of it. */
function network(body: (x: Tensor) => Tensor, seed = 1): { model: tfl.LayersModel; x: tf.Tensor } {
  const input = tfl.input({ shape: [5, 4] });
  const model = tfl.model({ inputs: input, outputs: body(input) });
  model.weights.forEach((weight, i) => {
    const shape = weight.shape as number[];
    const size = shape.reduce((a, b) => a * b, 1);
    const isGain = weight.originalName.endsWith('gamma');
    tf.tidy(() => {
      const values = lcg(seed + i, size).map((u) => (isGain ? 0.5 + u : 1.6 * u - 0.8));
      weight.write(tf.tensor(values, shape));
    });
  });
  const x = tf.tensor(
    lcg(seed + 99, 240).map((u) => 4 * u - 2),
    [12, 5, 4],
  );
  return { model, x };
}

const products = {
  dot: (turned: boolean) => layers.dot({ axes: turned ? [2, 2] : [2, 1] }),
  'a class with a rule': (turned: boolean) => new Product({ turned, factor: turned ? 0.4 : 1 }),
  'a class without': (turned: boolean) => new UnknownProduct({ turned, factor: turned ? 0.4 : 1 }),
};

/** softmax(q k) v and an output projection. */
function attention(x: Tensor, product: (turned: boolean) => Layer, name = 'att', weigh = softmax): Tensor {
  const [q, k, v] = ['query', 'key', 'value'].map((each) => apply(dense(`${name}_${each}`, 6), x));
  const seen = apply(product(false), weigh(apply(product(true), q!, k!)), v!);
  return apply(dense(`${name}_output`, 4), seen);
}

const classifier = (x: Tensor) => apply(dense('head', 3), pool(x));

/** Multiplies weights by what their name says. */
function multiply(model: tfl.LayersModel, factors: Readonly<Record<string, number>>): void {
  for (const weight of model.weights) {
    tf.tidy(() => {
      weight.write(tf.mul(weight.read(), factors[weight.originalName] ?? 1));
    });
  }
}

describe('scaling values by 10 and the output projection by 1/10', () => {
  const ofDense = { 'att_value/kernel': 10, 'att_value/bias': 10, 'att_output/kernel': 0.1 };
  const ofLayer = { 'mha/value_kernel': 10, 'mha/value_bias': 10, 'mha/output_kernel': 0.1 };
  const options = { units: 6, heads: 2, bias: true, name: 'mha' };
  const own = (layer: Layer) => (x: Tensor) => apply(layer, x);
  const cases: Record<string, [(x: Tensor) => Tensor, Record<string, number>, boolean]> = {
    'dense layers and dot': [(x) => attention(x, products.dot), ofDense, true],
    'dense layers and products with a rule': [(x) => attention(x, products['a class with a rule']), ofDense, true],
    'dense layers and products without': [(x) => attention(x, products['a class without']), ofDense, false],
    'a layer with a rule': [own(new Attention(options)), ofLayer, true],
    'a layer without': [own(new UnknownAttention(options)), ofLayer, false],
  };
  it.each(Object.entries(cases))('%s', async (_, [body, factors, invariant]) => {
    const { model, x } = network((input) => classifier(body(input)));
    const before = await measureSharpness(model, x, { loss });
    multiply(model, factors);
    const after = await measureSharpness(model, x, { loss });
    expect(after.trace / before.trace).toBeGreaterThan(1.5);
    const change = Math.abs(after.minimumSharpness / before.minimumSharpness - 1);
    const sentences = before.assumptions.filter((each) => each.includes('is not invariant'));
    if (invariant) {
      expect(change).toBeLessThan(1e-5);
      expect(sentences).toEqual([]);
      expect(before.scales.length).toBeGreaterThan(3);
    } else {
      expect(change).toBeGreaterThan(0.5);
      expect(sentences).toEqual([
        expect.stringMatching(/^Nothing is known of the scales in '.+registerLayerRule .+\.$/),
      ]);
    }
    x.dispose();
    model.dispose();
  });

  it('is described', () => {
    const layer = new Attention({ units: 6, heads: 2, bias: true, name: 'described' });
    const { model, x } = network((input) => classifier(apply(layer, input)));
    expect(`${describeSymmetries(model, { loss })}`.split('\n').slice(1)).toEqual([
      "'described/query_kernel' and 'described/key_kernel' trade scale: alpha(described/query_kernel) * alpha(described/key_kernel) = 1.",
      "'described/value_kernel', 'described/output_kernel' and 'head' trade scale: alpha(described/value_kernel) * alpha(described/output_kernel) * alpha(head) = 1.",
    ]);
    x.dispose();
    model.dispose();
  });
});

describe('Minimum Sharpness is the least trace over all scales that tf.js finds free', () => {
  const normalize = (x: Tensor) => apply(layers.layerNormalization({ epsilon: 1e-7 }), x);
  const add = (...xs: Tensor[]) => apply(layers.add(), ...xs);
  const feedForward = (x: Tensor, name: string) =>
    apply(dense(`${name}_down`, 4), apply(dense(`${name}_up`, 7, { activation: 'relu' }), x));
  const { dot } = products;
  const relu = (name: string) => dense(name, 6, { activation: 'relu' });
  const bodies: Record<string, (x: Tensor) => Tensor> = {
    'attention behind an embedding': (x) => attention(apply(dense('embedding', 4), x), dot),
    'residual, normalized in front': (x) => {
      const e = apply(dense('embedding', 4), x);
      const seen = add(e, attention(normalize(e), dot));
      return normalize(add(seen, feedForward(normalize(seen), 'mlp')));
    },
    'residual, normalized behind': (x) => {
      const e = apply(dense('embedding', 4), x);
      const seen = normalize(add(e, attention(e, dot)));
      return normalize(add(seen, feedForward(seen, 'mlp')));
    },
    'query and key by one layer': (x) => {
      const [query, key] = [apply(dense('both', 6), x), apply(dense('value', 6), x)];
      return apply(dot(false), softmax(apply(dot(true), query, query)), key);
    },
    'linear attention': (x) => {
      const [q, k, v] = [apply(relu('q'), x), apply(relu('k'), x), apply(dense('v', 6), x)];
      return apply(dot(false), apply(dot(true), q, k), v);
    },
    'cosines as scores': (x) => {
      const [q, k, v] = ['q', 'k', 'v'].map((name) => apply(dense(name, 6), x));
      return apply(dot(false), softmax(apply(layers.dot({ axes: [2, 2], normalize: true }), q!, k!)), v!);
    },
    'gates and products': (x) => {
      const h = apply(relu('h'), x);
      const gate = apply(dense('gate', 6, { activation: 'sigmoid' }), h);
      const gated = apply(layers.multiply(), apply(dense('value', 6), h), gate);
      return apply(layers.multiply(), gated, apply(relu('factor'), h));
    },
    'a layer with a rule, twice, one across': (x) => {
      const e = apply(dense('embedding', 4), x);
      const first = apply(new Attention({ units: 6, heads: 3, bias: true }), e);
      return apply(new Attention({ units: 4, heads: 2, bias: false }), first, e);
    },
    'a relu recurrence behind attention': (x) =>
      apply(
        layers.simpleRNN({ units: 4, activation: 'relu', returnSequences: true, recurrentInitializer: 'glorotNormal' }),
        attention(x, dot),
      ),
  };
  it.each(Object.entries(bodies))('%s', async (_, body) => {
    const { model, x } = network((input) => classifier(body(input)), 7);
    const reading = await measureSharpness(model, x, { loss });
    const free = freeScales(model, [x]);
    expect(free.directions.length).toBe(describeSymmetries(model, { loss }).freedom);
    expect(Math.abs(leastTrace(free, reading.parameters) / reading.minimumSharpness - 1)).toBeLessThan(1e-4);

    const outputs = () => tf.tidy(() => (model.predict(x) as tf.Tensor).dataSync());
    const original = outputs();
    const largest = Math.max(...original.map(Math.abs));
    for (const draw of [1, 2, 3]) {
      const { undo } = rescale(model, loss, draw);
      outputs().forEach((y, i) => {
        expect(Math.abs(y - original[i]!)).toBeLessThanOrEqual(1e-6 * largest);
      });
      const { minimumSharpness } = await measureSharpness(model, x, { loss });
      expect(Math.abs(minimumSharpness / reading.minimumSharpness - 1)).toBeLessThan(1e-5);
      undo();
    }
    x.dispose();
    model.dispose();
  });
});
