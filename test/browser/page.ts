import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-webgl';
import '@tensorflow/tfjs-backend-webgpu';
import { measureSharpness, minimumSharpness, type SharpnessReading } from '../../src/index.js';
import { deviationOf, foundBy, valueCases } from '../measure/value-cases.js';

/** What the test hands to the page for one golden case: plain numbers only. */
export interface PageCase {
  readonly topology: object;
  readonly loss: NonNullable<Parameters<typeof measureSharpness>[2]>['loss'];
  readonly weights: readonly { readonly shape: number[]; readonly values: number[] }[];
  readonly inputs: { readonly shape: number[]; readonly values: number[] };
}

const tensorOf = ({ shape, values }: PageCase['inputs']) => tf.tensor(Float32Array.from(values), shape);

/** What the test calls in the page. */
const page = {
  async backend(name: string): Promise<string> {
    await tf.setBackend(name);
    await tf.ready();
    return tf.getBackend();
  },

  /** One of the value cases: how far off it is, and what it leaked. */
  async valueCase(name: string): Promise<{ deviation: number; leaked: number }> {
    const valueCase = valueCases.find((each) => each.name === name) as (typeof valueCases)[number];
    const found = await foundBy(valueCase);
    return { deviation: deviationOf(valueCase, found), leaked: found.leaked };
  },

  async measure({ topology, loss, weights, inputs }: PageCase): Promise<{ reading: SharpnessReading; leaked: number }> {
    const model = await tfl.models.modelFromJSON({ modelTopology: topology } as Parameters<
      typeof tfl.models.modelFromJSON
    >[0]);
    model.setWeights(weights.map(tensorOf));
    const x = tensorOf(inputs);
    const before = tf.memory().numTensors;
    const reading = await measureSharpness(model, x, { loss });
    return { reading, leaked: tf.memory().numTensors - before };
  },

  /** Trains a small convolutional network with the callback; what it logged, said and leaked. */
  async train(epochs: number): Promise<{ logged: number[]; problems: string[]; leaked: number }> {
    const { conv2d, dense, flatten, maxPooling2d } = tfl.layers;
    const model = tfl.sequential({
      layers: [
        conv2d({ filters: 4, kernelSize: 3, activation: 'relu', inputShape: [8, 8, 1] }),
        maxPooling2d({ poolSize: 2 }),
        flatten(),
        dense({ units: 3, activation: 'softmax' }),
      ],
    });
    model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    const x = tf.randomNormal([32, 8, 8, 1]);
    const y = tf.oneHot(
      tf.tensor1d(
        Array.from({ length: 32 }, (_, n) => n % 3),
        'int32',
      ),
      3,
    );
    const before = tf.memory().numTensors;
    const sharpness = minimumSharpness({ data: x });
    const problems: string[] = [];
    sharpness.problems$.subscribe(({ message }) => problems.push(message));
    const { history } = await model.fit(x, y, { epochs, callbacks: [sharpness] });
    sharpness.dispose();
    return {
      logged: history.minimumSharpness as number[],
      problems,
      leaked: tf.memory().numTensors - before,
    };
  },
};

export type Page = typeof page;
(globalThis as unknown as { page: Page }).page = page;
