/**
 * Readings as an RxJS stream: a moving average, an alert when Minimum Sharpness (MS) rises, and training stopped when
 * it has fallen far enough.
 */
import * as tf from '@tensorflow/tfjs';
import { bufferCount, filter, map, pairwise, scan } from 'rxjs';
import { minimumSharpness } from 'tfjs-sharpness';
import { argumentsOf } from './shared/command-line.js';
import { mnistDigits } from './shared/mnist-images.js';

argumentsOf(`usage: npx tsx examples/rxjs-pipeline.ts

Trains on digits; the stream of readings gives an average, an alert and a stop.`);

const { images, labels } = mnistDigits('train', 1000);
const kernelInitializer = (seed: number) => tf.initializers.heNormal({ seed });
const model = tf.sequential({
  layers: [
    tf.layers.dense({ units: 32, activation: 'relu', inputShape: [784], kernelInitializer: kernelInitializer(1) }),
    tf.layers.dense({ units: 10, activation: 'softmax', kernelInitializer: kernelInitializer(2) }),
  ],
});
model.compile({ optimizer: tf.train.sgd(0.7), loss: 'categoricalCrossentropy' });

const sharpness = minimumSharpness({ data: images });
const values$ = sharpness.readings$.pipe(map((reading) => reading.minimumSharpness));

sharpness.readings$.subscribe(({ epoch, minimumSharpness }) => {
  console.log(`epoch ${epoch! + 1}: MS ${minimumSharpness.toFixed(2)}`);
});

values$
  .pipe(
    bufferCount(3, 1),
    filter((last) => last.length === 3),
    map((last) => (last[0] + last[1] + last[2]) / 3),
  )
  .subscribe((average) => console.log(`  average of 3: ${average.toFixed(2)}`));

values$
  .pipe(
    pairwise(),
    filter(([before, now]) => now > 1.05 * before),
  )
  .subscribe(([before, now]) => console.log(`  alert: MS rose by ${((now / before - 1) * 100).toFixed(0)}%`));

values$
  .pipe(
    scan((seen, value) => ({ value, largest: Math.max(seen.largest, value) }), { value: 0, largest: 0 }),
    filter(({ value, largest }) => value < largest / 2),
  )
  .subscribe(({ value, largest }) => {
    console.log(`  MS is down from ${largest.toFixed(2)} to ${value.toFixed(2)}, less than half: training stops`);
    model.stopTraining = true;
  });

await model.fit(images, labels, { epochs: 40, batchSize: 50, shuffle: false, verbose: 0, callbacks: [sharpness] });
sharpness.dispose();
