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

  /**
   * Measures a small convolutional network, on a WebGPU device that is watched: the most bytes that its buffers took at a time, beyond
   * those of before.
   *
   * @param largest bytes of a buffer beyond which the device fails, as where its memory is at an end.
   */
  async watched(
    method: 'exact' | { pairs: number } | { tolerance: number },
    memoryMB: number,
    largest: number | null,
  ): Promise<{ minimumSharpness: number; peak: number; failures: number; leaked: number }> {
    const { conv2d, dense, flatten, maxPooling2d } = tfl.layers;
    const seeded = (seed: number) => ({ kernelInitializer: tfl.initializers.glorotUniform({ seed }) });
    const model = tfl.sequential({
      layers: [
        conv2d({ filters: 6, kernelSize: 3, activation: 'relu', inputShape: [10, 10, 1], ...seeded(1) }),
        maxPooling2d({ poolSize: 2 }),
        flatten(),
        dense({ units: 20, activation: 'relu', ...seeded(2) }),
        dense({ units: 4, activation: 'softmax', ...seeded(3) }),
      ],
    });
    const x = tf.randomUniform([150, 10, 10, 1], 0, 1, 'float32', 4);
    await tf.sum(x).data();
    const { device } = tf.backend() as unknown as { readonly device: GPUDevice };
    const { createBuffer } = device;
    const { destroy } = GPUBuffer.prototype;
    const { numTensors } = tf.memory();
    let [bytes, peak, failures] = [0, 0, 0];
    const there = new Map<GPUBuffer, number>();
    device.createBuffer = (descriptor) => {
      const fails = largest !== null && descriptor.size > largest;
      failures += fails ? 1 : 0;
      const buffer = createBuffer.call(device, fails ? { ...descriptor, size: 2 ** 50 } : descriptor);
      // As one for which there was no memory would say.
      Object.defineProperty(buffer, 'size', { value: descriptor.size });
      there.set(buffer, descriptor.size);
      bytes += descriptor.size;
      peak = Math.max(peak, bytes);
      return buffer;
    };
    GPUBuffer.prototype.destroy = function () {
      bytes -= there.get(this) ?? this.size;
      destroy.call(this);
      return undefined;
    };
    try {
      const { minimumSharpness } = await measureSharpness(model, x, {
        loss: 'categoricalCrossentropy',
        method,
        memoryMB,
      });
      return { minimumSharpness, peak, failures, leaked: tf.memory().numTensors - numTensors };
    } finally {
      device.createBuffer = createBuffer;
      GPUBuffer.prototype.destroy = destroy;
    }
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
