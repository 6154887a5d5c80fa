import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { type DrawnReading, measureToCompare } from '../../src/measure/measure-sharpness.js';
import { errorOfDifference } from '../../src/traces/sampling/paired.js';

const SEEDS = 100;
const [SAMPLES, INPUTS, CLASSES] = [400, 12, 5];

/** Weights of one training after an epoch, after eight, and one batch later. */
async function checkpoints() {
  const he = (seed: number) => tfl.initializers.heNormal({ seed });
  const model = tfl.sequential({
    layers: [
      tfl.layers.dense({ units: 24, activation: 'relu', inputShape: [INPUTS], kernelInitializer: he(1) }),
      tfl.layers.dense({ units: 16, activation: 'relu', kernelInitializer: he(2) }),
      tfl.layers.dense({ units: CLASSES, activation: 'softmax', kernelInitializer: he(3) }),
    ],
  });
  model.compile({ optimizer: tf.train.momentum(0.05, 0.9), loss: 'categoricalCrossentropy' });
  const ideal = tf.randomUniform([CLASSES, INPUTS], 0, 1, 'float32', 4);
  const classes = tf.tensor1d(
    Array.from({ length: SAMPLES }, (_, n) => n % CLASSES),
    'int32',
  );
  const x = tf.add(tf.gather(ideal, classes), tf.randomNormal([SAMPLES, INPUTS], 0, 0.3, 'float32', 5)) as tf.Tensor2D;
  const y = tf.oneHot(classes, CLASSES);
  const weights: tf.Tensor[][] = [];
  const keep = () => weights.push(model.getWeights().map((each) => each.clone()));
  for (const epochs of [1, 7]) {
    await model.fit(x, y, { epochs, batchSize: 40, shuffle: false, verbose: 0 });
    keep();
  }
  await model.trainOnBatch(tf.slice(x, 0, 40), tf.slice(y, 0, 40));
  keep();
  return { model, x, y, weights };
}

it('the difference of two checkpoints lies within two of its errors in 95 of 100 seeds', async () => {
  const { model, x, weights } = await checkpoints();
  const measure = async (method: 'exact' | { pairs: number }, seed: number) => {
    const found: DrawnReading[] = [];
    for (const each of weights) {
      model.setWeights(each);
      found.push(await measureToCompare(model, x, { method, seed }));
    }
    return found;
  };
  const differences = (found: readonly DrawnReading[]) => {
    const [first, before, after] = found.map(({ reading }) => reading.minimumSharpness) as [number, number, number];
    return [after - before, before - first] as const;
  };
  const exact = differences(await measure('exact', 0));
  const covered = [0, 0];
  let [paired, root] = [0, 0];
  for (let seed = 0; seed < SEEDS; seed++) {
    const found = await measure({ pairs: 100 }, seed);
    const [first, before, after] = found as [DrawnReading, DrawnReading, DrawnReading];
    for (const [i, [one, other]] of [[before, after] as const, [first, before] as const].entries()) {
      const difference = differences(found)[i]!;
      const { standardError } = errorOfDifference(one.drawn!, other.drawn!);
      covered[i]! += Math.abs(difference - exact[i]!) <= 2 * standardError ? 1 : 0;
      if (i === 0) {
        paired += standardError;
        root += Math.hypot(one.reading.standardError, other.reading.standardError);
      }
    }
  }
  expect(covered.map((count) => count / SEEDS).every((share) => share > 0.9)).toBe(true);
  expect(paired / root).toBeLessThan(0.75);
}, 120_000);

it('what makes the error is not known of probes and of random parts', async () => {
  const { model, x, y } = await checkpoints();
  const drawn = async (options: object) => (await measureToCompare(model, x, options)).drawn;
  expect(await drawn({ method: 'exact' })).toEqual({ places: [], inclusion: [], values: [] });
  expect(await drawn({ method: { hutchinson: 2 }, labels: y })).toBeUndefined();
  expect(await drawn({ method: { pairs: 50 }, part: 0.5 })).toBeUndefined();
  expect((await drawn({ method: { pairs: 50 } }))!.places).toHaveLength(50);
});
