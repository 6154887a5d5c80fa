import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Layer, Operation } from '../network/layers/operation.js';
import type { LayerRule } from '../network/layers/rule.js';
import { byPosition } from '../network/layers/sensitivity.js';
import { cut } from '../tfjs/mended-operations.js';

type LayerConfig = NonNullable<ConstructorParameters<typeof tfl.layers.Layer>[0]>;

/** What a layer does to the steps of its input, [N, steps, C]. */
interface Steps {
  readonly length: (steps: number) => number;
  readonly forward: (x: tf.Tensor) => tf.Tensor;
  /** Its transpose: [N, steps of the output, C] to [N, steps of the input, C]. */
  readonly backward: (delta: tf.Tensor) => tf.Tensor;
}

const padded = (x: tf.Tensor, [before, after]: readonly number[]) =>
  tf.pad(x, [
    [0, 0],
    [before!, after!],
    [0, 0],
  ]);

function cropped(x: tf.Tensor, [before, after]: readonly number[]): tf.Tensor {
  const [samples, steps, channels] = x.shape as [number, number, number];
  if (steps <= before! + after!) {
    throw new Error(
      `there is nothing left of ${steps} steps once ${before} and ${after} are cropped: give longer samples.`,
    );
  }
  return cut(x, [0, before!, 0], [samples, steps - before! - after!, channels]);
}

/** One number for both ends, or two. */
const margins = (given: unknown) => {
  const [before = 1, after = before] = [given ?? 1].flat().map(Number);
  return [before, after] as const;
};

/** Layers along steps that Keras has and tf.js has only for images. */
const kinds: Readonly<Record<string, (config: LayerConfig & { [key: string]: unknown }) => Steps>> = {
  ZeroPadding1D: ({ padding }) => {
    const ends = margins(padding);
    return {
      length: (steps) => steps + ends[0] + ends[1],
      forward: (x) => padded(x, ends),
      backward: (delta) => cropped(delta, ends),
    };
  },
  Cropping1D: ({ cropping }) => {
    const ends = margins(cropping);
    return {
      length: (steps) => steps - ends[0] - ends[1],
      forward: (x) => cropped(x, ends),
      backward: (delta) => padded(delta, ends),
    };
  },
  UpSampling1D: ({ size = 2 }) => {
    const times = Number(size);
    const forward = (x: tf.Tensor) => {
      const [samples, steps, channels] = x.shape as [number, number, number];
      return tf.reshape(tf.tile(tf.expandDims(x, 2), [1, 1, times, 1]), [samples, steps * times, channels]);
    };
    const backward = (delta: tf.Tensor) => {
      const [samples, steps, channels] = delta.shape as [number, number, number];
      return tf.sum(tf.reshape(delta, [samples, steps / times, times, channels]), 2);
    };
    return { length: (steps) => steps * times, forward, backward };
  },
};

function layerClass(className: string) {
  return class extends tfl.layers.Layer {
    static readonly className = className;
    readonly given: LayerConfig & { [key: string]: unknown };
    readonly steps: Steps;

    constructor(config: LayerConfig & { [key: string]: unknown }) {
      super(config);
      this.given = config;
      this.steps = kinds[className]!(config);
    }

    override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
      return tf.tidy(() => this.steps.forward([inputs].flat()[0]!));
    }

    override computeOutputShape([samples, steps, channels]: tfl.Shape): tfl.Shape {
      return [samples!, steps === null ? null : this.steps.length(steps!), channels!];
    }

    override getConfig() {
      const { padding, cropping, size } = this.given;
      const own = Object.entries({ padding, cropping, size }).filter(([, value]) => value !== undefined);
      return { ...super.getConfig(), ...Object.fromEntries(own) } as ReturnType<tfl.layers.Layer['getConfig']>;
    }
  };
}

export const stepRule: LayerRule = (anyLayer) => {
  const layer = anyLayer as unknown as Layer & { readonly steps: Steps };
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'ties',
    piecewiseLinear: true,
    differentiable: 'linear',
    parameters: [],
    forward: ([x]) => ({ output: layer.steps.forward(x), saved: [] }),
    backward: (_call, delta) => [layer.steps.backward(delta)],
  };
  return [{ ...operation, sensitivity: byPosition(operation) }];
};

/** Classes of layers for `tf.serialization.registerClass`. */
export const stepLayers: readonly (readonly [name: string, layer: object])[] = Object.keys(kinds).map(
  (name) => [name, layerClass(name)] as const,
);
