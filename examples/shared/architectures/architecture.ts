import type * as tf from '@tensorflow/tfjs';
import type { MeasureOptions } from 'tfjs-sharpness';

/** A compiled network with data of the right shapes. */
export interface Subject {
  readonly model: tf.LayersModel;
  /** Random inputs of `count` samples; the same seed gives the same. */
  readonly inputs: (count: number, seed: number) => tf.Tensor;
  /** Random labels for them. Left out where tf.js cannot train the network. */
  readonly labels?: (count: number, seed: number) => tf.Tensor;
}

/** One measurement of it: of so many samples. */
export interface Measurement {
  readonly samples: number;
  readonly method: NonNullable<MeasureOptions['method']>;
}

/** A network as a user would write it, in the size at which it is used and in one for tests. */
export interface Architecture {
  readonly real: () => Subject;
  readonly small: () => Subject;
  /** What is measured in real size. */
  readonly measurements: readonly Measurement[];
}
