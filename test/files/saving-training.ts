import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';

// A training that saves after each epoch into a folder of its own, and over the last one: argv is the folder and the number of epochs.
const [folder, epochs] = process.argv.slice(2) as [string, string];
const { setBackend, randomNormal } = tf;
await setBackend('cpu');
const model = tfl.sequential({
  layers: [
    tfl.layers.dense({ inputShape: [3], units: 4, activation: 'relu', name: 'hidden' }),
    tfl.layers.dense({ units: 2, activation: 'softmax', name: 'out' }),
  ],
});
model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
const x = randomNormal([16, 3], 0, 1, 'float32', 1);
const y = tf.oneHot(tf.tensor1d([0, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1, 0], 'int32'), 2);

/** In pieces, as a slow disk has them. */
async function save(name: string): Promise<void> {
  await model.save({
    save: async ({ modelTopology, weightSpecs, weightData }) => {
      mkdirSync(join(folder, name), { recursive: true });
      const manifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
      const text = JSON.stringify({ modelTopology, trainingConfig: { loss: 'mse' }, weightsManifest: manifest });
      const bytes = Buffer.from(weightData as ArrayBuffer);
      for (const [file, content] of [
        ['model.json', Buffer.from(text)],
        ['weights.bin', bytes],
      ] as const) {
        writeFileSync(join(folder, name, file), content.subarray(0, 40));
        await pause(100);
        appendFileSync(join(folder, name, file), content.subarray(40));
      }
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  });
}

for (let epoch = 1; epoch <= Number(epochs); epoch++) {
  await model.fit(x, y, { epochs: 1, verbose: 0 });
  await save(`epoch-${epoch}`);
  await save('last');
}
