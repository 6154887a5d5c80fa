/**
 * Takes the picture of docs/report.md: the top of a report of two trainings of one small network, by SGD and by SAM.
 *
 *     npx tsx scripts/screenshot-report.ts
 *
 * Needs Chromium: CHROMIUM names the program.
 */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { minimumSharpness, type SharpnessReading } from '../src/index.js';
import { sam } from '../src/optimizers.js';
import { sharpnessReport } from '../src/report.js';
import { launched } from '../test/browser/chromium.js';

await tf.setBackend('cpu');
const points = tf.randomUniform<tf.Rank.R2>([1000, 2], -1, 1, 'float32', 1);
const [x, y] = tf.split(points, 2, 1);
const isAbove = y!.greater(x!.mul(3).sin().mul(0.5)).toFloat();

/** Its readings are sampled, so that they have a band. */
async function trained(optimizer: tf.Optimizer): Promise<SharpnessReading[]> {
  const kernelInitializer = (seed: number) => tf.initializers.heNormal({ seed });
  const model = tf.sequential({
    layers: [
      tf.layers.dense({
        name: 'first',
        units: 16,
        activation: 'relu',
        kernelInitializer: kernelInitializer(1),
        inputShape: [2],
      }),
      tf.layers.dense({ name: 'second', units: 16, activation: 'relu', kernelInitializer: kernelInitializer(2) }),
      tf.layers.dense({ name: 'head', units: 1, activation: 'sigmoid', kernelInitializer: kernelInitializer(3) }),
    ],
  });
  model.compile({ optimizer, loss: 'binaryCrossentropy' });
  const sharpness = minimumSharpness({ data: points, method: { pairs: 200 }, seed: 1, every: { batches: 8 } });
  const readings: SharpnessReading[] = [];
  sharpness.readings$.subscribe((reading) => readings.push(reading));
  await model.fit(points, isAbove, { epochs: 12, batchSize: 32, shuffle: false, verbose: 0, callbacks: [sharpness] });
  return readings;
}

const runs = { SGD: await trained(tf.train.sgd(0.3)), SAM: await trained(sam(tf.train.sgd(0.3), { rho: 0.1 })) };
const { html } = await sharpnessReport(runs, { title: 'SGD and SAM' });
const browser = await launched('none');
const tab = await browser.newPage({ viewport: { width: 1012, height: 1080 }, deviceScaleFactor: 1.5 });
await tab.setContent(html);
const path = join(import.meta.dirname, '../docs/report.png');
await tab.screenshot({ path });
console.log(path);
await browser.close();
