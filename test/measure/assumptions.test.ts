import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it, type MockInstance, test, vi } from 'vitest';
import { measureSharpness } from '../../src/index.js';
import { measuredAsWhole, registerLayerRule } from '../../src/layers.js';
import * as makers from '../../src/measure/assumptions.js';
import { backendAssumptions, symmetryAssumptions } from '../../src/measure/assumptions.js';
import { unfold } from '../../src/network/graph.js';
import { scaleSymmetry } from '../../src/symmetry/scale-symmetry.js';
import { assumptionCases } from './assumption-cases.js';

const { layers } = tfl;
type Layer = tfl.layers.Layer;

const dense = (name: string, trainable = true) => layers.dense({ name, units: 3, activation: 'relu', trainable });

function assumptionsOf(inputShape: number[], ...stack: Layer[]): string[] {
  const model = tfl.sequential({ layers: [layers.inputLayer({ inputShape }), ...stack] });
  const graph = unfold(model);
  return symmetryAssumptions(graph, scaleSymmetry(graph));
}

test('a plain chain takes nothing for granted', () => {
  expect(assumptionsOf([3], dense('a'), dense('b'))).toEqual([]);
});

test('one sentence says that no scale is free', () => {
  expect(assumptionsOf([3], dense('a'))).toEqual([
    'No layers can exchange scale here, so Minimum Sharpness is the plain trace; describeSymmetries(model) says why.',
  ]);
});

test('frozen weights, with every layer once', () => {
  expect(assumptionsOf([3], dense('a', false), dense('b'), dense('c'), dense('d', false))).toEqual([
    "The frozen weights of 'a' and 'd' are left out, and no scale is moved into them; countFrozen: true counts them.",
  ]);
});

test('the two kinds of normalization', () => {
  const stack = [dense('a'), layers.batchNormalization({ name: 'batch' }), layers.layerNormalization({ name: 'row' })];
  expect(assumptionsOf([3], ...stack, dense('b'))).toEqual([
    expect.stringMatching(/^Batch normalization \('batch'\) is measured as in inference, .* count less\.$/),
    expect.stringMatching(/^Normalization \('row'\) takes away the scale of its input: .* need not count\.$/),
  ]);
});

test('weights that take no part', () => {
  const rnn = layers.simpleRNN({ name: 'rnn', units: 2, recurrentInitializer: 'glorotUniform' });
  expect(assumptionsOf([3, 2], layers.prelu({ name: 'slopes' }), rnn, dense('a'), dense('b'))).toEqual([
    "Weights of 'slopes' and 'rnn/recurrent_kernel' take no part in the rescaling: their trace counts as it is.",
  ]);
});

test('a backend that applies the weights of a batch normalization along another axis', () => {
  const normalization = (axis: number) => layers.batchNormalization({ name: `axis_${axis}`, axis });
  const stack = [layers.inputLayer({ inputShape: [4, 3] }), normalization(1), normalization(2)];
  const said = backendAssumptions(unfold(tfl.sequential({ layers: stack })));
  const backend = tf.getBackend();
  expect(said).toEqual(
    ['cpu', 'wasm'].includes(backend)
      ? [
          `On the ${backend} backend tf.js applies the weights of 'axis_1' along another axis than the layer's: what is measured ` +
            "is the function that it computes there. Other backends compute the layer's own.",
        ]
      : [],
  );
});

class Opaque extends layers.Layer {
  static className = 'OpaqueOfAssumptions';
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return Array.isArray(inputs) ? inputs[0]! : inputs;
  }
}

test('layers of which nothing is known, unless no scale can reach them', () => {
  const opaque = (name: string) => new Opaque({ name });
  expect(assumptionsOf([3], opaque('in_front'), dense('a'), dense('b'))).toEqual([]);
  expect(assumptionsOf([3], dense('a', false), opaque('behind'), dense('b'), dense('c'))).toEqual([
    expect.stringMatching(/^The frozen weights/),
  ]);
  expect(assumptionsOf([3], opaque('in_front'), dense('a'), dense('b'), opaque('between'), opaque('end'))).toEqual([
    expect.stringMatching(
      /^Nothing is known of the scales in 'between' and 'end': Minimum Sharpness is not invariant where .+ registerLayerRule of tfjs-sharpness\/layers says what becomes of scales\.$/,
    ),
  ]);
  registerLayerRule('OpaqueOfAssumptions', (layer) => [measuredAsWhole(layer, { inputs: ['x'], output: 'x' })]);
  expect(assumptionsOf([3], dense('a'), opaque('known'), dense('b'))).toEqual([
    "That the scales named in the rule of 'known' leave the function unchanged is taken on trust.",
  ]);
  const cell = (['relu', 'softmax'] as const).map((activation) =>
    layers.simpleRNNCell({ units: 2, activation, recurrentInitializer: 'glorotUniform' }),
  );
  expect(assumptionsOf([3, 2], layers.rnn({ cell, name: 'stack' }) as Layer, dense('a'), dense('b'))).toEqual([
    expect.stringMatching(
      /^Measured as a whole: 'stack'\. Minimum Sharpness is not invariant where .+ an exact rule\.$/,
    ),
  ]);
});

describe('where fit begins a layer at every step with states of another', () => {
  const glorot = tfl.initializers.glorotUniform({ seed: 7 });
  const rnn = (name: string, more: object = {}) =>
    layers.simpleRNN({ name, units: 2, recurrentInitializer: glorot, kernelInitializer: glorot, ...more });
  const through = (x: tfl.SymbolicTensor, ...stack: Layer[]) =>
    stack.reduce((y, layer) => layer.apply(y) as tfl.SymbolicTensor, x);
  const given = (layer: Layer, x: tfl.SymbolicTensor, initialState: tfl.SymbolicTensor[]) =>
    layer.apply(x, { initialState } as never) as tfl.SymbolicTensor;
  const wrapped = () => [layers.timeDistributed({ name: 'wrapped', layer: rnn('inside') }), layers.flatten()];
  const split = (features: number) => layers.reshape({ targetShape: [3, features, 1] });
  const bidirectional = (more: object) =>
    layers.bidirectional({ layer: rnn('both', { returnSequences: true, ...more }) as never, mergeMode: 'concat' });
  const decoder = () => rnn('decoder', { returnSequences: true });
  const [x, h, i] = [tfl.input({ shape: [3, 2] }), tfl.input({ shape: [2] }), tfl.input({ shape: [2] })];
  const behind = (of = x) =>
    tfl.model({ inputs: [x, h], outputs: through(given(decoder(), of, [h]), split(2), ...wrapped()) });
  const nested = (inner: tfl.LayersModel, ...inputs: tfl.SymbolicTensor[]) => inner.apply(inputs) as tfl.SymbolicTensor;
  const networks: Record<string, () => tfl.LayersModel> = {
    behind,
    'in front': () =>
      tfl.model({ inputs: [x, h], outputs: given(rnn('decoder'), through(x, split(2), wrapped()[0]!), [h]) }),
    'an encoder of both directions': () => {
      const [steps, state] = bidirectional({ returnState: true }).apply(x) as unknown as tfl.SymbolicTensor[];
      return tfl.model({ inputs: x, outputs: given(rnn('decoder'), steps!, [state!]) });
    },
    'behind both directions': () =>
      tfl.model({ inputs: [x, h, i], outputs: through(given(bidirectional({}), x, [h, i]), split(4), ...wrapped()) }),
    'behind a mask': () => behind(through(x, layers.masking({ maskValue: 9 }))),
    'in a model inside': () => tfl.model({ inputs: [x, h], outputs: nested(behind(), x, h) }),
    'behind a model inside': () => {
      const inner = tfl.model({ inputs: [x, h], outputs: given(decoder(), x, [h]) });
      return tfl.model({ inputs: [x, h], outputs: through(nested(inner, x, h), split(2), ...wrapped()) });
    },
  };
  it.each(Object.keys(networks))('%s', async (name) => {
    const model = networks[name]!();
    const samples = model.inputs.map(({ shape }, seed) =>
      tf.randomNormal([4, ...(shape.slice(1) as number[])], 0, 1, 'float32', 3 + seed),
    );
    const inputs = samples.length > 1 ? samples : samples[0]!;
    const [fitted, predicted] = [model.apply(inputs, { training: true }), model.predict(inputs)] as tf.Tensor[];
    const difference = tf.max(tf.abs(tf.sub(fitted!, predicted!)));
    const { assumptions } = await measureSharpness(model, inputs, { loss: 'meanSquaredError' });
    expect(assumptions.some((each) => each.startsWith('In fit'))).toBe(difference.dataSync()[0]! > 0.01);
    tf.dispose([samples, fitted!, predicted!, difference]);
  });

  it.each([undefined, null, 'hidden', 3, {}])("a layer of the user's with a field layer: %s", (layer) => {
    const own = Object.assign(new Opaque({}), { layer });
    expect(
      makers.stateAssumptions(
        unfold(tfl.sequential({ layers: [layers.inputLayer({ inputShape: [3] }), own, dense('a')] })),
        [],
      ),
    ).toEqual([]);
  });
});

/** The text of a string in a program, with null for what is filled in; undefined if it is none. */
function partsOf(node: ts.Node): (string | null)[] | undefined {
  if (ts.isStringLiteralLike(node)) {
    return [node.text];
  }
  if (ts.isTemplateExpression(node)) {
    return [node.head.text, ...node.templateSpans.flatMap(({ literal }) => [null, literal.text])];
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const [left, right] = [partsOf(node.left), partsOf(node.right)];
    return left && right && [...left, ...right];
  }
  return undefined;
}

/** Every sentence that is written in the file, as an expression that its readings match. */
function sentencesIn(path: string): RegExp[] {
  const found: RegExp[] = [];
  const visit = (node: ts.Node) => {
    const parts = partsOf(node);
    if (parts === undefined) {
      ts.forEachChild(node, visit);
    } else if (parts.at(-1)?.endsWith('.')) {
      const literal = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
      found.push(new RegExp(`^${parts.map((part) => (part === null ? '.*' : literal(part))).join('')}$`));
    }
  };
  visit(ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest));
  return found;
}

describe('every sentence has a case', () => {
  const spoken = new Set<string>();
  let info: MockInstance;
  beforeAll(() => {
    info = vi.spyOn(console, 'info').mockImplementation(() => {});
  });
  afterAll(() => info.mockRestore());

  it('of every maker', () => {
    expect(Object.keys(assumptionCases).sort()).toEqual(Object.keys(makers).sort());
  });

  const cases = Object.values(assumptionCases).flat();
  it.each(cases)('$sentence', async ({ sentence, where, notWhere, backends }) => {
    const stands = (said: readonly string[]) => said.filter((each) => sentence.test(each)).length;
    const [said, other] = [await where(), await notWhere()];
    expect(stands(said), said.join('\n')).toBe(backends && !backends.includes(tf.getBackend()) ? 0 : 1);
    expect(stands(other), other.join('\n')).toBe(0);
    for (const each of [...said, ...other]) {
      spoken.add(each);
    }
  });

  it('that is written, and no other is spoken', () => {
    const written = sentencesIn('src/measure/assumptions.ts');
    expect(written.length).toBeGreaterThan(25);
    const elsewhere = cases.filter(({ backends }) => backends && !backends.includes(tf.getBackend()));
    const unspoken = written.filter((each) => ![...spoken].some((sentence) => each.test(sentence)));
    expect(unspoken, unspoken.join('\n')).toHaveLength(elsewhere.length);
    expect([...spoken].filter((sentence) => !written.some((each) => each.test(sentence)))).toEqual([]);
  });
});
