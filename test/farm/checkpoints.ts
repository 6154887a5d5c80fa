import { writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { npy, saveModel } from '../files/saved-model.js';

/** Saves networks of two layers, 8 inputs and 4 classes, by seeds. */
export async function saveCheckpoints(folder: string, count: number, units = 6): Promise<string[]> {
  const saved: string[] = [];
  for (let k = 0; k < count; k++) {
    const kernelInitializer = (seed: number) => tfl.initializers.glorotUniform({ seed });
    const model = tfl.sequential({
      layers: [
        tfl.layers.dense({ inputShape: [8], units, activation: 'relu', kernelInitializer: kernelInitializer(k + 1) }),
        tfl.layers.dense({ units: 4, activation: 'softmax', kernelInitializer: kernelInitializer(k + 1001) }),
      ],
    });
    saved.push(await saveModel(model, `${folder}/checkpoint${k}`, { loss: 'categorical_crossentropy' }));
  }
  return saved;
}

/** Saves samples for them. */
export function saveSamples(path: string, count: number, seed = 3): string {
  const values = tf.tidy(() => tf.randomNormal([count, 8], 0, 1, 'float32', seed).dataSync());
  writeFileSync(path, npy([count, 8], values));
  return path;
}
