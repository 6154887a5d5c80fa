import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { measuredAsWhole, registerLayerRule } from '../../src/layers.js';

type Inputs = tf.Tensor | tf.Tensor[];

/** A product of two matrices for each sample, the second turned or not, times a number. */
export class Product extends tfl.layers.Layer {
  static className: string = 'TestProduct';
  constructor(readonly options: { turned: boolean; factor: number; name?: string }) {
    super(options);
  }
  override computeOutputShape(shapes: tfl.Shape | tfl.Shape[]): tfl.Shape {
    const [a, b] = shapes as [tfl.Shape, tfl.Shape];
    return [...a.slice(0, -1), b.at(this.options.turned ? -2 : -1)!];
  }
  override call(inputs: Inputs): tf.Tensor {
    const [a, b] = inputs as tf.Tensor[];
    return tf.mul(tf.matMul(a!, b!, false, this.options.turned), this.options.factor);
  }
}

export interface AttentionOptions {
  readonly units: number;
  readonly heads: number;
  readonly bias: boolean;
  readonly name?: string;
  readonly inputShape?: number[];
}

/** Attention of several heads with four kernels and, mostly, their biases, on [N, T, F]; of a second input, if there is one. */
export class Attention extends tfl.layers.Layer {
  static className: string = 'TestAttention';
  readonly kernels: Record<string, tfl.LayerVariable> = {};
  readonly biases: Record<string, tfl.LayerVariable> = {};
  constructor(readonly options: AttentionOptions) {
    super(options as object);
  }
  override build(shape: tfl.Shape | tfl.Shape[]): void {
    const [own, other] = Array.isArray(shape[0]) ? (shape as tfl.Shape[]) : [shape as tfl.Shape];
    const { units, bias } = this.options;
    const features = own!.at(-1)!;
    const fanIns = { query: features, key: (other ?? own)!.at(-1)!, value: (other ?? own)!.at(-1)!, output: units };
    for (const [name, fanIn] of Object.entries(fanIns)) {
      const fanOut = name === 'output' ? features : units;
      this.kernels[name] = this.addWeight(
        `${name}_kernel`,
        [fanIn, fanOut],
        'float32',
        tfl.initializers.glorotNormal({}),
      );
      if (bias) {
        this.biases[name] = this.addWeight(`${name}_bias`, [fanOut], 'float32', tfl.initializers.zeros());
      }
    }
    this.built = true;
  }
  override computeOutputShape(shape: tfl.Shape | tfl.Shape[]): tfl.Shape {
    return (Array.isArray(shape[0]) ? shape[0] : shape) as tfl.Shape;
  }
  override call(inputs: Inputs): tf.Tensor {
    const [own, other] = Array.isArray(inputs) ? inputs : [inputs];
    const { units, heads } = this.options;
    const project = (x: tf.Tensor, name: string) => {
      const rows = tf.reshape(x, [-1, x.shape[2]!]) as tf.Tensor2D;
      const product = tf.matMul(rows, this.kernels[name]!.read() as tf.Tensor2D);
      const bias = this.biases[name];
      return tf.reshape(bias ? tf.add(product, bias.read()) : product, [x.shape[0], x.shape[1]!, -1]);
    };
    const split = (x: tf.Tensor) => tf.transpose(tf.reshape(x, [x.shape[0], x.shape[1]!, heads, -1]), [0, 2, 1, 3]);
    const [q, k, v] = [own!, other ?? own!, other ?? own!].map((x, i) =>
      split(project(x, ['query', 'key', 'value'][i]!)),
    );
    const scores = tf.softmax(tf.mul(tf.matMul(q!, k!, false, true), Math.sqrt(heads / units)));
    const seen = tf.transpose(tf.matMul(scores, v!), [0, 2, 1, 3]);
    return project(tf.reshape(seen, [seen.shape[0], seen.shape[1]!, units]), 'output');
  }
}

/** The same, of which the package knows nothing. */
export class UnknownProduct extends Product {
  static override className = 'TestUnknownProduct';
}
export class UnknownAttention extends Attention {
  static override className = 'TestUnknownAttention';
}

registerLayerRule('TestProduct', (layer) => [measuredAsWhole(layer, 'adds')]);
registerLayerRule('TestAttention', (layer, parameter) => {
  const { kernels, biases } = layer as Attention;
  const places: Record<string, { from: string; to: string }> = {
    query: { from: 'own', to: 'query' },
    key: { from: 'other', to: 'key' },
    value: { from: 'other', to: 'value' },
    output: { from: 'value', to: 'output' },
  };
  const isCross = Array.isArray(layer.input);
  return [
    measuredAsWhole(
      layer,
      {
        inputs: isCross ? ['own', 'other'] : ['own'],
        output: 'output',
        rules: [{ query: 1, key: 1 }, ...(isCross ? [] : [{ own: 1, other: -1 }])],
      },
      [
        ...Object.entries(kernels).map(([name, kernel]) => parameter(kernel, 'kernel', places[name])),
        ...Object.entries(biases).map(([name, bias]) => parameter(bias, 'bias', { to: places[name]!.to })),
      ],
    ),
  ];
});
