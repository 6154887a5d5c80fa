import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { multiplyEachColumn } from '../network/layers/columns.js';
import type { CallWithDelta, Layer, Operation } from '../network/layers/operation.js';
import type { LayerRule } from '../network/layers/rule.js';
import { spread } from '../network/layers/sensitivity.js';
import { biasSquaredNorm, joinPositions } from '../network/layers/squared-norms.js';

type LayerConfig = NonNullable<ConstructorParameters<typeof tfl.layers.Layer>[0]>;
type Weight = ReturnType<tfl.layers.Layer['addWeight']>;

/** What a layer of keras.applications is set to; others may have classes of the same name, in files that do not say whose they are. */
function numberOf(setting: unknown, name: string | undefined, className: string): number {
  if (typeof setting !== 'number') {
    throw new Error(
      `layer '${name}' is of a class ${className} that is not that of keras.applications: --require a module that registers it.`,
    );
  }
  return setting;
}

interface LayerScaleConfig extends LayerConfig {
  readonly initValues?: number;
  readonly projectionDim: number;
}

/** gamma x, one gamma a channel: what ConvNeXt of keras.applications multiplies its residual branches by. */
export class LayerScale extends tfl.layers.Layer {
  static readonly className = 'LayerScale';
  private readonly initValues: number;
  private readonly projectionDim: number;
  gamma?: Weight;

  constructor(config: LayerScaleConfig) {
    super(config);
    this.initValues = config.initValues ?? 1;
    this.projectionDim = numberOf(config.projectionDim, config.name, 'LayerScale');
  }

  override build(inputShape: tfl.Shape): void {
    const initializer = tfl.initializers.constant({ value: this.initValues });
    this.gamma = this.addWeight('gamma', [this.projectionDim], 'float32', initializer, undefined, true);
    super.build(inputShape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => tf.mul([inputs].flat()[0]!, this.gamma!.read()));
  }

  override computeOutputShape(inputShape: tfl.Shape): tfl.Shape {
    return inputShape;
  }

  override getConfig() {
    const { initValues, projectionDim } = this;
    return { ...super.getConfig(), initValues, projectionDim };
  }
}

/** gamma counts as a kernel, as that of a batch normalization. */
export const layerScaleRule: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as unknown as Layer & LayerScale;
  const gamma = parameter(layer.gamma!, 'kernel');
  const times = (x: tf.Tensor) => tf.mul(x, layer.gamma!.read());
  const contributions = (calls: readonly CallWithDelta[], columns: number) =>
    joinPositions(
      calls.map(({ saved, delta }) => {
        const each = multiplyEachColumn(delta, saved[0]!, columns);
        return tf.reshape(each, [each.shape[0]!, -1, each.shape.at(-1)!]) as tf.Tensor3D;
      }),
    );
  return [
    {
      layer,
      description: 'LayerScale',
      scale: 'affine',
      piecewiseLinear: true,
      differentiable: 'smooth',
      parameters: [gamma],
      ...(gamma.trainable && { linearIn: [{ saved: 0, parameter: gamma }] }),
      forward: ([x]) => ({ output: times(x!), saved: gamma.trainable ? [x!] : [] }),
      backward: (_call, delta) => [times(delta)],
      sensitivity: {
        through: ([q]) => q! && tf.mul(q, tf.square(layer.gamma!.read())),
        ofParameters: ({ inputs: [x] }) => [tf.square(x!)],
      },
      squaredNorms: (calls, columns) => [
        gamma.trainable ? biasSquaredNorm(contributions(calls, columns), columns) : null,
      ],
      outerProducts: (calls) => [gamma.trainable ? [{ deltas: contributions(calls, 1) }] : null],
    },
  ];
};

/** x + c y: how InceptionResNetV2 of keras.applications adds a residual branch y. */
export class CustomScaleLayer extends tfl.layers.Layer {
  static readonly className = 'CustomScaleLayer';
  readonly factor: number;

  constructor(config: LayerConfig & { readonly scale: number }) {
    super(config);
    this.factor = numberOf(config.scale, config.name, 'CustomScaleLayer');
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [x, y] = inputs as tf.Tensor[];
    return tf.tidy(() => tf.add(x!, tf.mul(y!, this.factor)));
  }

  override computeOutputShape(inputShape: tfl.Shape | tfl.Shape[]): tfl.Shape {
    return inputShape[0] as tfl.Shape;
  }

  override getConfig() {
    return { ...super.getConfig(), scale: this.factor };
  }
}

/** Drops residual branches of ConvNeXt while it trains, and is x otherwise. */
export class StochasticDepth extends tfl.layers.Layer {
  static readonly className = 'StochasticDepth';
  private readonly dropPathRate: number;

  constructor(config: LayerConfig & { readonly dropPathRate: number }) {
    super(config);
    this.dropPathRate = numberOf(config.dropPathRate, config.name, 'StochasticDepth');
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => tf.clone([inputs].flat()[0]!));
  }

  override computeOutputShape(inputShape: tfl.Shape): tfl.Shape {
    return inputShape;
  }

  override getConfig() {
    return { ...super.getConfig(), dropPathRate: this.dropPathRate };
  }
}

export const customScaleRule: LayerRule = (anyLayer) => {
  const layer = anyLayer as unknown as Layer & CustomScaleLayer;
  const operation: Operation = {
    layer,
    description: 'CustomScaleLayer',
    scale: 'ties',
    piecewiseLinear: true,
    differentiable: 'smooth',
    parameters: [],
    forward: (inputs) => ({ output: layer.call(inputs), saved: [] }),
    backward: (_call, delta) => [delta, tf.mul(delta, layer.factor)],
    sensitivity: {
      through([ofX, ofY], { output }) {
        const whole = (q: tf.Tensor) => spread(q, output.shape);
        const scaled = ofY && tf.mul(whole(ofY), layer.factor ** 2);
        return ofX && scaled ? tf.add(whole(ofX), scaled) : (ofX ?? scaled) || null;
      },
    },
  };
  return [operation];
};
