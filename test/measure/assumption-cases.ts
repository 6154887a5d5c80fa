import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { measureFunctionSharpness, measureSharpness, mergeSharpnessSamples, sampleSharpness } from '../../src/index.js';
import { measuredAsWhole, registerLayerRule } from '../../src/layers.js';
import type * as makers from '../../src/measure/assumptions.js';
import type { MeasureOptions } from '../../src/measure/options.js';
import { minimumSharpness } from '../../src/training/minimum-sharpness.js';
import { roundProducts } from './rounded-kernels.js';

type Layer = tfl.layers.Layer;
type Symbolic = tfl.SymbolicTensor;
/** Measures something as a user does, and gives the `assumptions` of the reading. */
type Measurement = () => Promise<readonly string[]>;

/** A sentence of `assumptions`, what is measured where it stands, and a neighbour that does not take it for granted. */
export interface AssumptionCase {
  readonly sentence: RegExp;
  readonly where: Measurement;
  readonly notWhere: Measurement;
  /** Backends that it speaks of; on others it stands nowhere. Default: all. */
  readonly backends?: readonly string[];
}

const { layers } = tfl;
const loss = 'meanSquaredError';
const noise = (...shape: number[]) => tf.randomNormal(shape, 0, 1, 'float32', 3);
const dense = (name: string, more: object = {}) => {
  const kernelInitializer = tfl.initializers.glorotUniform({ seed: 2 + name.length });
  return layers.dense({ name, units: 3, kernelInitializer, ...more });
};
const relu = (name: string, more: object = {}) => dense(name, { activation: 'relu', ...more });
const through = (x: Symbolic | Symbolic[], ...stack: Layer[]) =>
  stack.reduce<Symbolic | Symbolic[]>((y, layer) => layer.apply(y) as Symbolic, x) as Symbolic;
const chain = (inputShape: number[], ...stack: Layer[]) =>
  tfl.sequential({ layers: [layers.inputLayer({ inputShape }), ...stack] });

/** A network and what it is measured on are made for one measurement. */
async function said(model: tfl.LayersModel, options: MeasureOptions = {}, x: tf.Tensor = samplesOf(model, 4)) {
  try {
    return (await measureSharpness(model, x, { loss, ...options })).assumptions;
  } finally {
    tf.dispose([x, options.labels as tf.Tensor | undefined]);
    model.dispose();
  }
}

const samplesOf = ({ inputs }: tfl.LayersModel, samples: number) =>
  noise(samples, ...(inputs[0]!.shape.slice(1) as number[]));

/** A recurrent layer at every step, behind one that is given its states or not. */
const wrappedBehind =
  (isGiven: boolean): Measurement =>
  () => {
    const rnn = (units: number, more: object = {}) =>
      layers.simpleRNN({ units, recurrentInitializer: tfl.initializers.glorotUniform({ seed: 7 }), ...more });
    const [x, h] = [tfl.input({ shape: [3, 2] }), tfl.input({ shape: [2] })];
    const decoder = rnn(2, { returnSequences: true });
    const decoded = decoder.apply(x, isGiven ? ({ initialState: [h] } as never) : undefined) as Symbolic;
    const wrapped = layers.timeDistributed({ layer: rnn(2) });
    const steps = through(
      decoded,
      layers.reshape({ targetShape: [3, 2, 1] }),
      wrapped,
      layers.flatten(),
      dense('last'),
    );
    const model = tfl.model({ inputs: isGiven ? [x, h] : x, outputs: steps });
    const inputs = isGiven ? [noise(4, 3, 2), noise(4, 2)] : noise(4, 3, 2);
    return measureSharpness(model, inputs, { loss }).then(({ assumptions }) => {
      tf.dispose(inputs);
      model.dispose();
      return assumptions;
    });
  };

/** Two layers with the given ones between them, which may want a shape of [time, features]. */
const of =
  (make: () => Layer[], options: MeasureOptions = {}, isDead = false): Measurement =>
  () => {
    const model = chain([3], relu('first'), ...make(), dense('last'));
    if (isDead) {
      const [kernel, bias] = model.getLayer('first').getWeights();
      model.getLayer('first').setWeights([kernel!, tf.fill(bias!.shape, -1e3)]);
    }
    return said(model, options);
  };
const ofSequence =
  (...make: (() => Layer)[]): Measurement =>
  () =>
    said(chain([4, 3], ...make.map((each) => each()), layers.flatten(), dense('last')));

/** A layer called twice, or two. */
const twice = (isShared: boolean) => () => {
  const x = tfl.input({ shape: [3] });
  const first = relu('first');
  return said(tfl.model({ inputs: x, outputs: through(x, first, isShared ? first : relu('second'), dense('last')) }));
};

/** Two outputs, with losses for some. */
const twoOutputs =
  (...outputs: string[]): Measurement =>
  () => {
    const x = tfl.input({ shape: [3] });
    const h = through(x, relu('first'));
    const model = tfl.model({ inputs: x, outputs: ['left', 'right'].map((name) => through(h, dense(name))) });
    return said(model, { loss: Object.fromEntries(outputs.map((name) => [name, loss])) });
  };

const oneHot = [
  [1, 0, 0],
  [0, 1, 0],
];
const padded = [
  [1, 0, 0],
  [0, 0, 0],
];
/** Cross-entropy, with rows of labels. */
const crossEntropy =
  (loss: 'softmaxCrossEntropy' | 'categoricalCrossentropy', rows?: number[][], biases?: number[]): Measurement =>
  () => {
    const activation = loss === 'categoricalCrossentropy' ? { activation: 'softmax' } : {};
    const model = chain([2], relu('first'), dense('last', activation));
    if (biases) {
      const [kernel] = model.getLayer('last').getWeights();
      model.getLayer('last').setWeights([kernel!, tf.tensor1d(biases)]);
    }
    return said(model, { loss, ...(rows && { labels: tf.tensor2d(rows) }) }, noise(2, 2));
  };

class Opaque extends layers.Layer {
  static className = 'OpaqueOfCases';
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return Array.isArray(inputs) ? inputs[0]! : inputs;
  }
}
class Known extends Opaque {
  static override className = 'KnownOfCases';
}
registerLayerRule('KnownOfCases', (layer) => [measuredAsWhole(layer, { inputs: ['x'], output: 'x' })]);

// Awake whatever chance says.
const awake = { activation: 'relu', kernelInitializer: 'ones', biasInitializer: 'ones' } as const;
const recurrent = { ...awake, units: 2, recurrentInitializer: 'ones' as const };
/** A softmax does not work element by element. */
const cells = () => {
  const cell = [{}, { activation: 'softmax' as const }].map((more) => layers.simpleRNNCell({ ...recurrent, ...more }));
  return layers.rnn({ name: 'cells', cell }) as Layer;
};
const recurrence = (method: MeasureOptions['method'], make = cells) => {
  const model = chain([4, 3], make(), dense('middle', awake), dense('last'));
  return said(model, { method }, noise(20, 4, 3));
};

const normalized = (axis: number) => ofSequence(() => layers.batchNormalization({ axis }));

/** w2 tanh(w1 x) with x = w1 = w2 = 1: the Hessian of w1 is negative where the target lies far below. */
const far = (target: number) => () => {
  const weight = { units: 1, useBias: false, kernelInitializer: 'ones' as const };
  const model = chain([1], layers.dense({ ...weight, activation: 'tanh' }), layers.dense(weight));
  const labels = tf.tensor2d([[target], [target]]);
  return said(model, { labels, method: { hutchinson: 30 } }, tf.ones([2, 1]));
};

const hessian = (activation: 'relu' | 'tanh', probes: number) => () => {
  const model = chain([3], dense('first', { activation }), dense('last'));
  return said(model, { labels: noise(4, 3), method: { hutchinson: probes } });
};

/** Its first layer has no gradient where the last weights are zero. */
const limit = (kernelInitializer: 'zeros' | 'ones') => () =>
  said(chain([3], relu('first', { kernelInitializer: 'ones' }), dense('last', { kernelInitializer })));

const small = () => chain([2], relu('first', { units: 4 }), dense('last', { units: 19 }));
const sampled =
  (options: MeasureOptions, samples = 40): Measurement =>
  () =>
    said(small(), options, noise(samples, 2));

/** Batches of a set that is read once. */
const dataset = (tolerance: number) => async () => {
  const [model, x] = [small(), noise(500, 2)];
  const batches = tfd.generator(async function* () {
    for (let begin = 0; begin < 500; begin += 100) {
      yield tf.slice(x, [begin, 0], [100, 2]);
    }
  } as never) as unknown as tfd.Dataset<tf.Tensor>;
  // It holds 256 pairs.
  const { assumptions } = await measureSharpness(model, batches, { loss, method: { tolerance }, memoryMB: 0.002 });
  x.dispose();
  model.dispose();
  return assumptions;
};

/** Shares that were measured on their own. */
const merged = (part: number) => async () => {
  const model = small();
  const shares: tf.Tensor[] = [noise(40, 2), tf.randomNormal([40, 2], 0, 1, 'float32', 4)];
  const options = { loss, part, method: { pairs: 40 } } as const;
  const samples = await Promise.all(shares.map((x, seed) => sampleSharpness(model, x, { ...options, seed })));
  const { assumptions } = mergeSharpnessSamples(model, samples, { loss });
  tf.dispose(shares);
  model.dispose();
  return assumptions;
};

/** What the callback says after an epoch, on data or else on a minibatch. */
const fitted = (hasData: boolean) => async () => {
  const model = chain([2], relu('first'), dense('last'));
  model.compile({ optimizer: 'sgd', loss });
  const [x, y] = [noise(40, 2), noise(40, 3)];
  const callback = minimumSharpness(hasData ? { data: x } : {});
  await model.fit(x, y, { epochs: 1, verbose: 0, callbacks: [callback] });
  const { assumptions } = callback.latest!;
  callback.dispose();
  tf.dispose([x, y]);
  model.optimizer.dispose();
  model.dispose();
  return assumptions;
};

const ofFunction = (isNamed: boolean) => async () => {
  const [variable, second] = tf.tidy(() => [tf.variable(noise(2, 4)), tf.variable(noise(4, 3))] as const);
  const x = noise(5, 2);
  const f = (x: tf.Tensor) => tf.matMul(tf.relu(tf.matMul(x as tf.Tensor2D, variable)), second) as tf.Tensor;
  const blocks = isNamed
    ? { first: { variable, to: 'hidden' }, second: { variable: second, from: 'hidden' } }
    : [variable, second];
  const { assumptions } = await measureFunctionSharpness(f, blocks, x, { loss });
  tf.dispose([variable, second, x]);
  return assumptions;
};

/** On a backend that multiplies as some GPUs do. What a backend does is found out once, so that it is another one. */
const rounded = async () => {
  const present = tf.getBackend();
  tf.registerBackend('rounding', tf.findBackendFactory(present));
  tf.copyRegisteredKernels(present, 'rounding');
  await tf.setBackend('rounding');
  const undo = roundProducts(10, 'nearest');
  try {
    return await sampled({})();
  } finally {
    undo();
    await tf.setBackend(present);
  }
};

const plain = of(() => []);

/** Every sentence, by what makes it in src/measure/assumptions.ts. */
/** So many samples that not every pair is taken for eigenvalues. */
const ofManyPairs =
  (options: MeasureOptions): Measurement =>
  () => {
    const model = chain([3], relu('first'), dense('last'));
    return said(model, options, samplesOf(model, 400));
  };

/** Sequences of two lengths in one dataset, with eigenvalues. */
const ofLengths =
  (...lengths: number[]): Measurement =>
  async () => {
    const model = chain([null as never, 2], relu('first'), layers.globalAveragePooling1d({}), dense('last'));
    const batches = tfd.array(lengths).map((length) => noise(2, length as number, 2));
    try {
      return (await measureSharpness(model, batches as never, { loss, eigenvalues: 2 })).assumptions;
    } finally {
      model.dispose();
    }
  };

export const assumptionCases: { readonly [maker in keyof typeof makers]: readonly AssumptionCase[] } = {
  reasonsNotExact: [
    {
      sentence:
        /^Traces are of the Gauss-Newton matrix, not the Hessian, because of the tanh activation of 'middle'\.$/,
      where: of(() => [dense('middle', { activation: 'tanh' })]),
      notWhere: of(() => [relu('middle')]),
    },
    {
      sentence: /^Traces are of the Gauss-Newton matrix, not the Hessian, because 'first' is called several times\.$/,
      where: twice(true),
      notWhere: twice(false),
    },
  ],
  partlyCurved: [
    {
      sentence:
        /^Traces are of the Gauss-Newton matrix, not the Hessian, because the loss 'meanSquaredLogarithmicError' of 'last' is not .*\.$/,
      where: of(() => [], { loss: 'meanSquaredLogarithmicError' }),
      notWhere: plain,
    },
  ],
  flatLosses: [
    {
      sentence:
        /^The loss 'meanAbsoluteError' of 'last' is made of straight pieces, .*; loss: 'huberLoss' is curved\.$/,
      where: of(() => [], { loss: 'mae' }),
      notWhere: plain,
    },
  ],
  CONSTANT: [
    {
      sentence: /^No weight but biases has a trace: the outputs are the same for all samples, .*\.$/,
      where: of(() => [], { loss: 'mse' }, true),
      notWhere: plain,
    },
  ],
  SATURATED: [
    {
      sentence: /^The loss is high, and its curvature in the outputs is gone: .*\.$/,
      where: crossEntropy('categoricalCrossentropy', oneHot, [0, 0, 1e4]),
      notWhere: crossEntropy('categoricalCrossentropy', oneHot),
    },
  ],
  regularizerAssumptions: [
    {
      sentence: /^The regularizers of 'middle' are not counted\.$/,
      where: of(() => [relu('middle', { kernelRegularizer: 'l1l2' })]),
      notWhere: of(() => [relu('middle')]),
    },
  ],
  headAssumptions: [
    {
      sentence: /^The loss is the sum over the outputs 'left' \(weight 1\), 'right' \(weight 1\)\.$/,
      where: twoOutputs('left', 'right'),
      notWhere: twoOutputs('left'),
    },
    {
      sentence: /^The loss of 'last' is the mean over positions, masked ones included, as in tf\.js\.$/,
      where: () => said(chain([4, 3], relu('first'), dense('last'))),
      notWhere: plain,
    },
  ],
  rowAssumptions: [
    {
      sentence: /^Every row of targets of 'last' is taken to add up to 1, .*: pass labels where some do not, .*\.$/,
      where: crossEntropy('categoricalCrossentropy'),
      notWhere: crossEntropy('categoricalCrossentropy', padded),
    },
    {
      sentence: /^Rows of labels of 'last' do not add up to 1: this is the Hessian of the loss, but the gradient .*\.$/,
      where: crossEntropy('softmaxCrossEntropy', padded),
      notWhere: crossEntropy('softmaxCrossEntropy', oneHot),
    },
    {
      sentence: /^Rows of labels of 'last' do not add up to 1/,
      where: crossEntropy('softmaxCrossEntropy', padded),
      // Its gradient in tf.js is that of the loss.
      notWhere: crossEntropy('categoricalCrossentropy', padded),
    },
  ],
  symmetryAssumptions: [
    {
      sentence: /^No layers can exchange scale here, so Minimum Sharpness is the plain trace; describeSymmetries.*\.$/,
      where: () => said(chain([3], dense('last'))),
      notWhere: plain,
    },
    {
      sentence: /^The frozen weights of 'middle' are left out, .*; countFrozen: true counts them\.$/,
      where: of(() => [relu('middle', { trainable: false })]),
      notWhere: of(() => [relu('middle', { trainable: false })], { countFrozen: true }),
    },
    {
      sentence: /^Batch normalization \('norm'\) is measured as in inference, with its moving statistics: .*\.$/,
      where: of(() => [layers.batchNormalization({ name: 'norm' })]),
      notWhere: of(() => [layers.layerNormalization({ name: 'norm' })]),
    },
    {
      sentence: /^Normalization \('norm'\) takes away the scale of its input: .* need not count\.$/,
      where: of(() => [layers.layerNormalization({ name: 'norm' })]),
      notWhere: of(() => [layers.batchNormalization({ name: 'norm' })]),
    },
    {
      sentence:
        /^Nothing is known of the scales in 'opaque': .* registerLayerRule of tfjs-sharpness\/layers says .*\.$/,
      where: of(() => [new Opaque({ name: 'opaque' })]),
      notWhere: of(() => [new Known({ name: 'opaque' })]),
    },
    {
      sentence: /^Measured as a whole: 'cells'\. Minimum Sharpness is not invariant .* that have an exact rule\.$/,
      where: () => recurrence('exact'),
      notWhere: () => recurrence('exact', () => layers.simpleRNN({ name: 'cells', ...recurrent })),
    },
    {
      sentence: /^That the scales named in the rule of 'known' leave the function unchanged is taken on trust\.$/,
      where: of(() => [new Known({ name: 'known' })]),
      notWhere: of(() => [new Opaque({ name: 'known' })]),
    },
    {
      sentence: /^Weights of 'slopes' take no part in the rescaling: their trace counts as it is\.$/,
      where: of(() => [layers.prelu({ name: 'slopes' })]),
      notWhere: of(() => [layers.leakyReLU({ name: 'slopes' })]),
    },
  ],
  slowAssumptions: [
    {
      sentence: /^The weights of 'cells' take one gradient for every sample and column, which is slow: .*\.$/,
      where: () => recurrence('exact'),
      notWhere: () => recurrence('exact', () => layers.simpleRNN({ name: 'cells', ...recurrent })),
    },
  ],
  stateAssumptions: [
    {
      sentence:
        /^In fit tf\.js begins the layer inside of '.+' with states that were given to '.+', in predict .* of predict\.$/,
      where: wrappedBehind(true),
      notWhere: wrappedBehind(false),
    },
  ],
  backendAssumptions: [
    {
      sentence: /^On the \w+ backend tf\.js applies the weights of '.+' along another axis than the layer's: .*\.$/,
      where: normalized(1),
      notWhere: normalized(2),
      backends: ['cpu', 'wasm'],
    },
  ],
  outputAssumptions: [
    {
      sentence: /^The outputs 'right' have no loss and do not count\.$/,
      where: twoOutputs('left'),
      notWhere: twoOutputs('left', 'right'),
    },
  ],
  NO_SCALES_NAMED: [
    {
      sentence: /^No scales are named, so that only the plain traces are measured: pass blocks with from and to .*\.$/,
      where: ofFunction(false),
      notWhere: ofFunction(true),
    },
  ],
  NAMED_SCALES_TRUSTED: [
    {
      sentence: /^That the named scales leave the function unchanged is taken on trust\.$/,
      where: ofFunction(true),
      notWhere: ofFunction(false),
    },
  ],
  minimumAssumptions: [
    {
      sentence:
        /^Minimum Sharpness is a limit that no rescaling reaches, since the trace of '.+ is 0: the scale of .*\.$/,
      where: limit('zeros'),
      notWhere: limit('ones'),
    },
  ],
  pairAssumptions: [
    {
      sentence: /^How sensitive 'cells' is to the weights, .* was tried in a few random directions: .*'exact' too\.$/,
      where: () => recurrence({ pairs: 20 }),
      notWhere: () => recurrence('exact'),
    },
    {
      sentence: /^How sensitive /,
      where: () => recurrence({ pairs: 20 }),
      notWhere: () => recurrence({ pairs: 20 }, () => layers.simpleRNN({ name: 'cells', ...recurrent })),
    },
  ],
  partAssumptions: [
    {
      sentence: /^20 of the 40 samples were run, drawn at random; standardError includes what that adds\.$/,
      where: sampled({ part: 0.5 }),
      notWhere: sampled({ part: 1 }),
    },
    {
      sentence: /^40 of the 80 samples were run, drawn at random; standardError includes what that adds\.$/,
      where: merged(0.5),
      notWhere: merged(1),
    },
  ],
  toleranceMissed: [
    {
      sentence: /^A relative standard error of 0\.001 would need a larger part of the samples: raise part\.$/,
      where: sampled({ part: 0.5, method: { tolerance: 0.001 } }),
      notWhere: sampled({ method: { tolerance: 0.001 } }),
    },
    {
      sentence:
        /^A relative standard error of 0\.001 would need more than the \d+ pairs that are kept of a dataset: .*\.$/,
      where: dataset(0.001),
      notWhere: dataset(0.5),
    },
  ],
  hessianAssumption: [
    {
      sentence: /^The Hessian's traces of 'first\/kernel', 'first\/bias' are estimated with 30 random probes each\.$/,
      where: hessian('tanh', 30),
      notWhere: hessian('relu', 30),
    },
    {
      sentence: /^No weight is curved by the network, so that the traces of the Hessian are exact\.$/,
      where: hessian('relu', 30),
      notWhere: hessian('tanh', 30),
    },
  ],
  negativeTraceAssumptions: [
    {
      sentence:
        /^The trace of '.+\/kernel' is negative, which no rescaling bounds: in Minimum Sharpness it counts as 0\.$/,
      where: far(-9),
      notWhere: far(1),
    },
  ],
  roundedProducts: [
    {
      sentence:
        /^This backend rounds the factors of matrix products and convolutions to 10 bits .* exact to float32\.$/,
      where: rounded,
      notWhere: sampled({}),
    },
  ],
  UNRELIABLE_MINIBATCH: [
    {
      sentence: /^The standard error is not reliable, because the minibatch has just been trained on, .*: pass data\.$/,
      where: fitted(false),
      notWhere: fitted(true),
    },
  ],
  UNRELIABLE_PROBES: [
    {
      sentence: /^The standard error is not reliable, because it rests on few probes: ask for more than 20\.$/,
      where: hessian('tanh', 20),
      notWhere: hessian('tanh', 21),
    },
  ],
  UNRELIABLE_SAMPLE: [
    {
      sentence: /^The standard error is not reliable, because it rests on a few of what was drawn: .*\.$/,
      where: sampled({ method: { pairs: 10 } }),
      notWhere: sampled({ method: 'exact' }),
    },
  ],
  OF_GAUSS_NEWTON: [
    {
      sentence: /^The eigenvalues are those of the Gauss-Newton matrix: the Hessian has another part, .*\.$/,
      where: of(() => [], { eigenvalues: 2 }),
      notWhere: plain,
    },
  ],
  UNRELIABLE_EIGENVALUES: [
    {
      sentence:
        /^Some standard errors of eigenvalues are not reliable, because they rest on a few of what was drawn, .*\.$/,
      where: ofManyPairs({ eigenvalues: 2, method: { pairs: 10 } }),
      notWhere: ofManyPairs({ eigenvalues: 2, method: 'exact' }),
    },
  ],
  eigenvaluesLeftOut: [
    {
      sentence:
        /^The eigenvalues are left out: samples of several shapes do not run together: pad them to one length\.$/,
      where: ofLengths(3, 4),
      notWhere: ofLengths(3, 3),
    },
  ],
};
