import type * as tf from '@tensorflow/tfjs';
import type { TensorInputs } from '../../src/measure/inputs.js';
import type { MeasureOptions } from '../../src/measure/options.js';

/** A network with its data and its loss, compiled or in the options. */
export interface BuiltNetwork {
  readonly model: tf.LayersModel;
  readonly inputs: TensorInputs;
  readonly options: MeasureOptions;
}

/** A network on which the errors that readings state are put to the test. */
export interface CoverageNetwork {
  readonly name: string;
  /** The same network for the same seed. */
  readonly build: (seed: number) => BuiltNetwork | Promise<BuiltNetwork>;
}
