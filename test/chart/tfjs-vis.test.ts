import type { Plugin } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { hasChromium } from '../browser/chromium.js';
import { blocksOf } from '../docs/pages.js';
import { chartBrowser } from './charts-in-chromium.js';

/** As `recipe`, what docs/chart.md says of tfjs-vis. */
const fromDocs: Plugin = {
  name: 'from-docs',
  setup(bundle) {
    const recipe = blocksOf('docs/chart.md').find(({ code }) => code.includes('tfvis'))!;
    bundle.onResolve({ filter: /^recipe$/ }, ({ path, resolveDir }) => ({
      path,
      namespace: 'docs',
      pluginData: resolveDir,
    }));
    bundle.onLoad({ filter: /.*/, namespace: 'docs' }, ({ pluginData }) => ({
      contents: recipe.code.replaceAll(/'tfjs-sharpness(\/chart)?'/g, (_, chart) =>
        chart ? "'../../src/chart.js'" : "'../../src/index.js'",
      ),
      loader: 'ts',
      resolveDir: pluginData as string,
    }));
  },
};

interface VisorPage {
  readonly tf: typeof import('@tensorflow/tfjs');
  readonly tfvis: typeof import('@tensorflow/tfjs-vis');
  readonly train: (...given: unknown[]) => Promise<void>;
}
declare const page: VisorPage;

describe.skipIf(!hasChromium && !process.env.CI)('in a page', () => {
  const browser = chartBrowser('visor-page.ts', [fromDocs]);

  it('the recipe of docs/chart.md: the chart in a surface of the visor, and MS and loss in charts of tfjs-vis', async () => {
    const tab = await browser.open();
    await tab.evaluate(async () => {
      const { tf } = page;
      await tf.setBackend('cpu');
      const kernelInitializer = tf.initializers.glorotNormal({ seed: 1 });
      const head = tf.layers.dense({ units: 2, activation: 'softmax', inputShape: [3], kernelInitializer });
      const model = tf.sequential({ layers: [head] });
      model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: ['acc'] });
      const x = tf.randomNormal([12, 3], 0, 1, 'float32', 1);
      const labels = tf.range(0, 12, 1, 'int32').mod(tf.scalar(2, 'int32')) as import('@tensorflow/tfjs').Tensor1D;
      await page.train(model, x, tf.oneHot(labels, 2));
    });
    const visor = tab.locator('#tfjs-visor-container');
    await visor.locator('.tfjs-sharpness-chart .when', { hasText: 'batch 20, epoch 20' }).waitFor();
    // Each chart of tfjs-vis has drawn its line, of 20 points.
    const drawn = await tab.evaluate(() =>
      [...document.querySelectorAll<HTMLCanvasElement>('#tfjs-visor-container canvas.marks')].map((canvas) => {
        const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
        let colored = 0;
        for (let i = 0; i < data.length; i += 4) {
          colored +=
            Math.max(data[i]!, data[i + 1]!, data[i + 2]!) - Math.min(data[i]!, data[i + 1]!, data[i + 2]!) > 60
              ? 1
              : 0;
        }
        return colored;
      }),
    );
    expect(drawn).toHaveLength(2);
    for (const colored of drawn) {
      expect(colored).toBeGreaterThan(50);
    }
    expect(await visor.locator('.tfjs-sharpness-chart').getAttribute('data-theme')).toBe('light');
    // tfjs-vis brings a tf.js of its own.
    expect(browser.said.filter((line) => !line.startsWith('Platform browser has already been set'))).toEqual([]);
  });
});
