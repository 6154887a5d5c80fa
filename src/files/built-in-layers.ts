import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Layer } from '../network/layers/operation.js';
import type { LayerRule } from '../network/layers/rule.js';
import { identity } from '../network/layers/shape.js';
import { registerLayerRule } from '../network/layers/table.js';
import { globalPoolingRule, poolingLayers } from './global-pooling.js';
import { activations } from './keras-activations.js';
import { CustomScaleLayer, customScaleRule, LayerScale, layerScaleRule, StochasticDepth } from './residual-scale.js';
import { stepLayers, stepRule } from './step-layers.js';

type LayerConfig = NonNullable<ConstructorParameters<typeof tfl.layers.Layer>[0]>;
type Weight = ReturnType<tfl.layers.Layer['addWeight']>;

interface NormalizationConfig extends LayerConfig {
  readonly axis?: number | readonly number[] | null;
  readonly mean?: unknown;
  readonly variance?: unknown;
  readonly invert?: boolean;
}

/** (x - mean) / max(sqrt(variance), 1e-7), Keras' layer in front of a network: with numbers that are not trained. */
class Normalization extends tfl.layers.Layer {
  static readonly className = 'Normalization';
  private readonly given: NormalizationConfig;
  private statistics?: readonly [mean: Weight, variance: Weight];
  private broadcast: number[] = [];

  constructor(config: NormalizationConfig) {
    super(config);
    this.given = config;
  }

  override build(inputShape: tfl.Shape): void {
    const rank = inputShape.length;
    const { axis = -1, mean, variance } = this.given;
    const axes = (axis === null ? [] : [axis].flat()).map((each) => (Number(each) + rank) % rank);
    this.broadcast = inputShape.map((size, i) => (axes.includes(i) ? size! : 1));
    if (mean === undefined || mean === null) {
      const shape = axes.map((each) => inputShape[each]!);
      const weight = (name: string, of: number[], value: 'zeros' | 'ones', dtype: 'float32' | 'int32' = 'float32') =>
        this.addWeight(name, of, dtype, tfl.initializers[value](), undefined, false);
      this.statistics = [weight('mean', shape, 'zeros'), weight('variance', shape, 'ones')];
      // Keras' int64, which files of tf.js have as int32.
      weight('count', [], 'zeros', 'int32');
    } else if (variance === undefined || variance === null) {
      throw new Error(`layer '${this.name}' has a mean and no variance.`);
    }
    super.build(inputShape);
  }

  /** [...] that broadcast along the input. */
  factors(): { readonly mean: tf.Tensor; readonly deviation: tf.Tensor } {
    return tf.tidy(() => {
      const [mean, variance] = this.statistics
        ? this.statistics.map((weight) => weight.read())
        : [this.given.mean, this.given.variance].map((value) =>
            tf.tensor(value as tf.TensorLike, undefined, 'float32'),
          );
      const shaped = (x: tf.Tensor) => (x.size === 1 ? tf.reshape(x, []) : tf.reshape(x, this.broadcast));
      return { mean: shaped(mean!), deviation: tf.maximum(tf.sqrt(shaped(variance!)), 1e-7) };
    });
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const { mean, deviation } = this.factors();
      const x = tf.cast([inputs].flat()[0]!, 'float32');
      return this.given.invert ? tf.add(mean, tf.mul(x, deviation)) : tf.div(tf.sub(x, mean), deviation);
    });
  }

  override computeOutputShape(inputShape: tfl.Shape): tfl.Shape {
    return inputShape;
  }

  slope(delta: tf.Tensor): tf.Tensor {
    const { deviation } = this.factors();
    return this.given.invert ? tf.mul(delta, deviation) : tf.div(delta, deviation);
  }

  override getConfig() {
    const { axis, mean, variance, invert } = this.given;
    return { ...super.getConfig(), axis, mean, variance, invert } as ReturnType<tfl.layers.Layer['getConfig']>;
  }
}

const normalization: LayerRule = (anyLayer) => {
  const layer = anyLayer as unknown as Normalization & Layer;
  return [
    {
      layer,
      description: 'Normalization',
      scale: 'pins',
      piecewiseLinear: true,
      parameters: [],
      forward: (inputs) => ({ output: layer.call([...inputs]), saved: [] }),
      backward: (_call, delta) => [layer.slope(delta)],
    },
  ];
};

/** Layers of Keras that draw in training only, and that tf.js does not have. */
export const randomLayers: readonly string[] = [
  'RandomFlip',
  'RandomRotation',
  'RandomZoom',
  'RandomTranslation',
  'RandomContrast',
  'RandomBrightness',
  'RandomShear',
  'RandomColorJitter',
  'RandomHue',
  'RandomSaturation',
  'RandomSharpness',
  'RandomGrayscale',
  'RandomGaussianBlur',
  'RandomErasing',
  'RandomInvert',
  'RandomPosterization',
];
const otherIdentities = ['ActivityRegularization', 'SpatialDropout2D', 'SpatialDropout3D'];

function identityLayer(name: string) {
  return class extends tfl.layers.Layer {
    static readonly className = name;
    override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
      return tf.tidy(() => tf.clone([inputs].flat()[0]!));
    }
    override computeOutputShape(inputShape: tfl.Shape): tfl.Shape {
      return inputShape;
    }
  };
}

const registered = new WeakSet<object>();

/** Whether a class of layers is one that `registerBuiltInLayers` has registered. */
export const isBuiltInLayer = (layer: object): boolean => registered.has(layer);

/**
 * Makes tf.js know layers of Keras that it does not have and that a saved model may do with: Normalization, those that leave their
 * input as it is in inference, margins and repetitions of steps, and global pooling that keeps its axes or is of volumes. Classes of these
 * names that are registered already stay.
 */
export function registerBuiltInLayers(): void {
  const { classNameMap } = tf.serialization.SerializationMap.getMap();
  const register = (layer: object, name: string, rule: LayerRule) => {
    if (!(name in classNameMap)) {
      tf.serialization.registerClass(layer as typeof Normalization);
      registerLayerRule(name, rule);
      registered.add(layer);
    }
  };
  register(Normalization, 'Normalization', normalization);
  register(LayerScale, 'LayerScale', layerScaleRule);
  register(CustomScaleLayer, 'CustomScaleLayer', customScaleRule);
  register(StochasticDepth, 'StochasticDepth', identity);
  for (const name of [...randomLayers, ...otherIdentities]) {
    register(identityLayer(name), name, identity);
  }
  for (const [name, layer] of stepLayers) {
    register(layer, name, stepRule);
  }
  for (const [name, layer] of poolingLayers) {
    register(layer, name, globalPoolingRule);
  }
  for (const activation of activations) {
    if (!(activation.className in classNameMap)) {
      tf.serialization.registerClass(activation);
    }
  }
}
