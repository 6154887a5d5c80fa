import * as tf from '@tensorflow/tfjs';
import type { Architecture, Subject } from './architecture.js';
import { randomWholeNumbers } from './random-data.js';

interface Size {
  readonly words: number;
  readonly length: number;
  readonly width: number;
  readonly units: number;
  readonly bidirectional: boolean;
  /** Whether word 0 fills up short texts, and the recurrent layer passes it over. */
  readonly maskZero: boolean;
}

/** Reads a text word by word and says yes or no. */
export function gruClassifier({ words, length, width, units, bidirectional, maskZero }: Size): tf.LayersModel {
  const gru = tf.layers.gru({
    units,
    kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }),
    // Orthogonal, as tf.js has it, takes tf.js minutes.
    recurrentInitializer: tf.initializers.glorotUniform({ seed: 3 }),
  }) as tf.RNN;
  const embeddingsInitializer = tf.initializers.randomUniform({ minval: -0.5, maxval: 0.5, seed: 1 });
  return tf.sequential({
    layers: [
      tf.layers.embedding({ inputDim: words, outputDim: width, inputLength: length, maskZero, embeddingsInitializer }),
      bidirectional ? tf.layers.bidirectional({ layer: gru, mergeMode: 'concat' }) : gru,
      tf.layers.dense({
        units: 1,
        activation: 'sigmoid',
        kernelInitializer: tf.initializers.glorotUniform({ seed: 4 }),
      }),
    ],
  });
}

function subject(size: Size): Subject {
  const model = gruClassifier(size);
  model.compile({ optimizer: tf.train.adam(0.001), loss: 'binaryCrossentropy' });
  return {
    model,
    inputs: (count, seed) => texts(count, size, seed),
    labels: (count, seed) => randomWholeNumbers([count, 1], 0, 2, seed),
  };
}

/** Random words; with a mask, texts of random length with zeros behind them. */
function texts(count: number, { words, length, maskZero }: Size, seed: number): tf.Tensor {
  return tf.tidy(() => {
    const full = randomWholeNumbers([count, length], 1, words, seed);
    if (!maskZero) {
      return full;
    }
    const lengths = randomWholeNumbers([count, 1], 1, length + 1, seed + 1);
    return full.mul(tf.range(0, length).less(lengths).toFloat());
  });
}

const real = { words: 10_000, length: 80, width: 64, units: 64 };
const small = { words: 11, length: 4, width: 3, units: 3 };
const measurements = [{ samples: 64, method: 'exact' }] as const;

export const gru: Architecture = {
  real: () => subject({ ...real, bidirectional: false, maskZero: false }),
  small: () => subject({ ...small, bidirectional: false, maskZero: false }),
  measurements,
};

export const maskedGru: Architecture = {
  real: () => subject({ ...real, bidirectional: false, maskZero: true }),
  small: () => subject({ ...small, bidirectional: false, maskZero: true }),
  measurements,
};

export const bidirectionalGru: Architecture = {
  real: () => subject({ ...real, bidirectional: true, maskZero: false }),
  small: () => subject({ ...small, bidirectional: true, maskZero: false }),
  measurements,
};
