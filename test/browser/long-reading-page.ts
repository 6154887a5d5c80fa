import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { measureSharpness } from '../../src/index.js';

let reading: () => Promise<number> = async () => Number.NaN;

/** What the test calls in the page. */
const page = {
  /** A convolutional network and `count` images, on wasm. */
  async setUp(count: number, wasmFolder: string): Promise<void> {
    setWasmPaths(wasmFolder);
    await tf.setBackend('wasm');
    await tf.ready();
    const { conv2d, dense, flatten, maxPooling2d } = tfl.layers;
    const seeded = (seed: number) => ({ kernelInitializer: tfl.initializers.glorotUniform({ seed }) });
    const model = tfl.sequential({
      layers: [
        conv2d({ filters: 8, kernelSize: 3, activation: 'relu', inputShape: [28, 28, 1], ...seeded(1) }),
        maxPooling2d({ poolSize: 2 }),
        conv2d({ filters: 16, kernelSize: 3, activation: 'relu', ...seeded(2) }),
        maxPooling2d({ poolSize: 2 }),
        flatten(),
        dense({ units: 10, activation: 'softmax', ...seeded(3) }),
      ],
    });
    const x = tf.randomUniform([count, 28, 28, 1], 0, 1, 'float32', 4);
    reading = async () => {
      const options = { loss: 'categoricalCrossentropy', method: { tolerance: 0.02 } } as const;
      return (await measureSharpness(model, x, options)).minimumSharpness;
    };
  },

  reading: () => reading(),
};

export type LongReadingPage = typeof page;
(globalThis as unknown as { page: LongReadingPage }).page = page;
