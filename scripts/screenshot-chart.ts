/**
 * Takes the pictures of docs/chart.md: the live chart of two trainings in a real page, light and dark.
 *
 *     npm run build && npx tsx scripts/screenshot-chart.ts
 *
 * Needs Chromium: CHROMIUM names the program.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launched, ORIGIN } from '../test/browser/chromium.js';

const root = join(import.meta.dirname, '..');
const scripts = ['node_modules/@tensorflow/tfjs/dist/tf.min.js', 'dist/tfjs-sharpness.min.js'];

/** Two trainings of one small network, by SGD and by SAM; their readings are sampled, so that they have bands. */
const program = `
  (async () => {
    const { minimumSharpness, sam, sharpnessChart } = tfSharpness;
    await tf.setBackend('cpu');
    const points = tf.randomUniform([1000, 2], -1, 1, 'float32', 1);
    const [x, y] = tf.split(points, 2, 1);
    const isAbove = y.greater(x.mul(3).sin().mul(0.5)).toFloat();
    const chart = sharpnessChart(document.querySelector('main'), undefined, { name: 'SGD' });
    const train = async (name, optimizer) => {
      const kernelInitializer = (seed) => tf.initializers.heNormal({ seed });
      const dense = (name, units, activation, seed, more) =>
        tf.layers.dense({ name, units, activation, kernelInitializer: kernelInitializer(seed), ...more });
      const model = tf.sequential({ layers: [
        dense('first', 16, 'relu', 1, { inputShape: [2] }), dense('second', 16, 'relu', 2), dense('head', 1, 'sigmoid', 3)] });
      model.compile({ optimizer, loss: 'binaryCrossentropy' });
      const sharpness = minimumSharpness({ data: points, method: { pairs: 200 }, seed: 1, every: { batches: 8 } });
      sharpness.readings$.subscribe((reading) => chart.update(reading, name));
      await model.fit(points, isAbove, { epochs: 12, batchSize: 32, shuffle: false, verbose: 0, callbacks: [sharpness] });
    };
    await train('SGD', tf.train.sgd(0.3));
    await train('SAM', sam(tf.train.sgd(0.3), { rho: 0.1 }));
    globalThis.isTrained = true;
  })();`;

const browser = await launched('none');
const tab = await browser.newPage({ viewport: { width: 860, height: 900 }, deviceScaleFactor: 1.5 });
tab.on('pageerror', (error) => console.error(String(error)));
const html = '<!doctype html><style>body{margin:0}figure{border-radius:0!important}</style><main></main>';
await tab.route(ORIGIN, (route) => route.fulfill({ contentType: 'text/html', body: html }));
await tab.goto(ORIGIN);
for (const script of scripts) {
  await tab.addScriptTag({ content: readFileSync(join(root, script), 'utf8') });
}
await tab.addScriptTag({ content: program });
await tab.waitForFunction('globalThis.isTrained', undefined, { timeout: 300_000 });
for (const colorScheme of ['light', 'dark'] as const) {
  await tab.emulateMedia({ colorScheme });
  await tab.waitForTimeout(1000);
  const path = join(root, `docs/chart-${colorScheme}.png`);
  await tab.locator('figure').screenshot({ path });
  console.log(path);
}
await browser.close();
