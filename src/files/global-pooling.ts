import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { globalAveragePooling } from '../network/layers/average-pooling.js';
import { globalMaxPooling } from '../network/layers/max-pooling.js';
import type { Layer, Operation } from '../network/layers/operation.js';
import type { LayerRule } from '../network/layers/rule.js';
import { byPlace } from '../network/layers/sensitivity.js';
import { reshape } from '../network/layers/shape.js';

type LayerConfig = NonNullable<ConstructorParameters<typeof tfl.layers.Layer>[0]>;
type DataFormat = 'channelsFirst' | 'channelsLast';

interface PoolingConfig extends LayerConfig {
  readonly dataFormat?: DataFormat | null;
  readonly keepdims?: boolean;
}

/** The name of what stands in for a layer of tf.js that passes over its `keepdims`. */
export const keepingAxes = (className: string) => `${className}KeepingAxes`;

/** Global pooling of Keras that tf.js does not have, or not with `keepdims`. */
const kinds: readonly { readonly name: string; readonly isMean: boolean; readonly axes: number }[] = [
  { name: keepingAxes('GlobalAveragePooling1D'), isMean: true, axes: 1 },
  { name: keepingAxes('GlobalAveragePooling2D'), isMean: true, axes: 2 },
  { name: 'GlobalAveragePooling3D', isMean: true, axes: 3 },
  { name: keepingAxes('GlobalMaxPooling1D'), isMean: false, axes: 1 },
  { name: keepingAxes('GlobalMaxPooling2D'), isMean: false, axes: 2 },
  { name: 'GlobalMaxPooling3D', isMean: false, axes: 3 },
];

/** What the rule asks a layer. */
interface GlobalPooling {
  readonly isMean: boolean;
  /** How many axes positions have. */
  readonly axes: number;
  readonly keepdims: boolean;
  readonly dataFormat: DataFormat;
}

/** Mean or maximum over all positions, [N, H, W, C] to [N, C], or [N, 1, 1, C] with `keepdims`. */
function layerClass({ name, isMean, axes }: (typeof kinds)[number]) {
  return class extends tfl.layers.Layer implements GlobalPooling {
    static readonly className = name;
    readonly isMean = isMean;
    readonly axes = axes;
    readonly keepdims: boolean;
    readonly dataFormat: DataFormat;
    private readonly positions: readonly number[];

    constructor(config: PoolingConfig) {
      super(config);
      this.inputSpec = [{ ndim: axes + 2 }];
      this.keepdims = config.keepdims ?? false;
      this.dataFormat = config.dataFormat ?? 'channelsLast';
      const first = this.dataFormat === 'channelsFirst' ? 2 : 1;
      this.positions = Array.from({ length: axes }, (_, i) => first + i);
    }

    override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
      return tf.tidy(() => (isMean ? tf.mean : tf.max)([inputs].flat()[0]!, [...this.positions], this.keepdims));
    }

    override computeOutputShape(shape: tfl.Shape): tfl.Shape {
      const isPosition = (axis: number) => this.positions.includes(axis);
      return this.keepdims
        ? shape.map((size, axis) => (isPosition(axis) ? 1 : size))
        : shape.filter((_, axis) => !isPosition(axis));
    }

    override getConfig() {
      return { ...super.getConfig(), dataFormat: this.dataFormat, keepdims: this.keepdims };
    }
  };
}

/** The pooling as tf.js has it, and then the axes that this takes away. */
export const globalPoolingRule: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as unknown as Layer & GlobalPooling;
  const pooling = (layer.isMean ? globalAveragePooling : globalMaxPooling)(layer, parameter);
  return layer.keepdims ? [...pooling, axesOf(layer, parameter)] : pooling;
};

/** [N, C] to [N, 1, 1, C]. */
function axesOf(layer: Layer & GlobalPooling, parameter: Parameters<LayerRule>[1]): Operation {
  const ones = Array<number>(layer.axes).fill(1);
  const withOnes = ([samples, channels]: readonly number[]) =>
    layer.dataFormat === 'channelsFirst' ? [samples!, channels!, ...ones] : [samples!, ...ones, channels!];
  const operation: Operation = {
    ...reshape(layer, parameter)[0]!,
    forward: ([x]) => ({ output: tf.reshape(x!, withOnes(x!.shape)), saved: [] }),
  };
  return { ...operation, sensitivity: byPlace(operation) };
}

/** Classes of layers for `tf.serialization.registerClass`. */
export const poolingLayers: readonly (readonly [name: string, layer: object])[] = kinds.map(
  (kind) => [kind.name, layerClass(kind)] as const,
);
