import * as tf from '@tensorflow/tfjs';
import type { Architecture, Subject } from './architecture.js';
import { randomClasses, randomWholeNumbers } from './random-data.js';

interface Size {
  readonly words: number;
  readonly length: number;
  readonly width: number;
  readonly heads: number;
  readonly blocks: number;
  readonly classes: number;
  /** Attention from layers of tf.js, or in a layer class of one's own. */
  readonly attention: 'layers' | 'own class';
}

/** Adds a learned vector to every position. */
class PositionEmbedding extends tf.layers.Layer {
  static readonly className = 'PositionEmbedding';
  private positions!: tf.LayerVariable;

  override build([, length, width]: tf.Shape): void {
    const initializer = tf.initializers.randomNormal({ stddev: 0.1, seed: 1 });
    this.positions = this.addWeight('positions', [length as number, width as number], 'float32', initializer);
    super.build([]);
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [x] = Array.isArray(inputs) ? inputs : [inputs];
    return tf.add(x!, this.positions.read());
  }
}

/** Multi-head self-attention with its four matrices. */
class SelfAttention extends tf.layers.Layer {
  static readonly className = 'SelfAttention';
  private matrices: tf.LayerVariable[] = [];

  constructor(
    private readonly heads: number,
    private readonly seed: number,
  ) {
    super({});
  }

  override build([, , width]: tf.Shape): void {
    this.matrices = ['query', 'key', 'value', 'output'].map((name, i) => {
      const initializer = tf.initializers.glorotUniform({ seed: this.seed + i });
      return this.addWeight(name, [width as number, width as number], 'float32', initializer);
    });
    super.build([]);
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [x] = Array.isArray(inputs) ? inputs : [inputs];
      const [samples, length, width] = x!.shape as [number, number, number];
      const rows = x!.reshape([samples * length, width]);
      const [query, key, value] = this.matrices.slice(0, 3).map((matrix) =>
        rows
          .matMul(matrix.read())
          .reshape([samples, length, this.heads, width / this.heads])
          .transpose([0, 2, 1, 3]),
      );
      const scores = tf.matMul(query!, key!, false, true).div(Math.sqrt(width / this.heads));
      const attended = tf.matMul(tf.softmax(scores), value!).transpose([0, 2, 1, 3]);
      const joined = attended.reshape([samples * length, width]);
      return joined.matMul(this.matrices[3]!.read()).reshape([samples, length, width]);
    });
  }
}

/** A Transformer encoder (Vaswani et al., arXiv 1706.03762), with the normalization in front, and the mean over positions. */
export function transformer({ words, length, width, heads, blocks, classes, attention }: Size): tf.LayersModel {
  let seed = 2;
  const through = (x: tf.SymbolicTensor | tf.SymbolicTensor[], layer: tf.layers.Layer) =>
    layer.apply(x) as tf.SymbolicTensor;
  const dense = (x: tf.SymbolicTensor, units: number, activation: 'linear' | 'gelu' | 'softmax' = 'linear') => {
    const kernelInitializer = tf.initializers.glorotUniform({ seed: seed++ });
    return through(x, tf.layers.dense({ units, activation, kernelInitializer }));
  };
  const head = (x: tf.SymbolicTensor) => {
    const size = width / heads;
    const [query, key, value] = [dense(x, size), dense(x, size), dense(x, size)];
    const scores = through([query, key], tf.layers.dot({ axes: [2, 2] }));
    const scaled = through(scores, tf.layers.rescaling({ scale: 1 / Math.sqrt(size) }));
    // The default axis of this layer is 1.
    const weights = through(scaled, tf.layers.softmax({ axis: -1 }));
    return through([weights, value], tf.layers.dot({ axes: [2, 1] }));
  };
  const attend = (x: tf.SymbolicTensor) => {
    if (attention === 'own class') {
      seed += 4;
      return through(x, new SelfAttention(heads, seed - 4));
    }
    const all = Array.from({ length: heads }, () => head(x));
    return dense(all.length === 1 ? all[0]! : through(all, tf.layers.concatenate()), width);
  };
  const normalized = (x: tf.SymbolicTensor) => through(x, tf.layers.layerNormalization());
  const added = (x: tf.SymbolicTensor, y: tf.SymbolicTensor) => through([x, y], tf.layers.add());

  const tokens = tf.input({ shape: [length] });
  const embeddingsInitializer = tf.initializers.randomUniform({ minval: -0.1, maxval: 0.1, seed: 100 });
  const embedded = through(tokens, tf.layers.embedding({ inputDim: words, outputDim: width, embeddingsInitializer }));
  let x = through(embedded, new PositionEmbedding({}));
  for (let block = 0; block < blocks; block++) {
    x = added(x, attend(normalized(x)));
    x = added(x, dense(dense(normalized(x), 4 * width, 'gelu'), width));
  }
  const pooled = through(normalized(x), tf.layers.globalAveragePooling1d({}));
  return tf.model({ inputs: tokens, outputs: dense(pooled, classes, 'softmax') });
}

function subject(size: Size): Subject {
  const model = transformer(size);
  model.compile({ optimizer: tf.train.adam(0.001), loss: 'categoricalCrossentropy' });
  return {
    model,
    inputs: (count, seed) => randomWholeNumbers([count, size.length], 0, size.words, seed),
    labels: (count, seed) => randomClasses([count], size.classes, seed),
  };
}

const real = { words: 8000, length: 64, width: 128, heads: 4, blocks: 4, classes: 4 };
const small = { words: 9, length: 4, width: 4, heads: 2, blocks: 1, classes: 3 };

export const layersTransformer: Architecture = {
  real: () => subject({ ...real, attention: 'layers' }),
  small: () => subject({ ...small, attention: 'layers' }),
  measurements: [
    { samples: 64, method: 'exact' },
    { samples: 512, method: { tolerance: 0.05 } },
  ],
};

export const ownClassTransformer: Architecture = {
  real: () => subject({ ...real, attention: 'own class' }),
  small: () => subject({ ...small, attention: 'own class' }),
  measurements: [{ samples: 16, method: 'exact' }],
};
