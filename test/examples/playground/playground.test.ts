import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { staticServer } from './static-server.js';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const found = existsSync(executablePath);

/** The built page in a headless Chromium without a GPU, from a folder of a plain server. */
describe.skipIf(!found && !process.env.CI)('the playground', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tfjs-sharpness-playground-'));
  let server: Awaited<ReturnType<typeof staticServer>>;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  /** What the console said, and what was thrown. */
  let said: string[];

  beforeAll(async () => {
    await build({
      configFile: fileURLToPath(new URL('../../../examples/playground/vite.config.ts', import.meta.url)),
      logLevel: 'error',
      build: { outDir: folder, minify: false, emptyOutDir: false },
    });
    server = await staticServer(folder);
    browser = await chromium.launch({
      executablePath,
      args: [
        '--no-sandbox',
        '--use-angle=swiftshader',
        '--enable-unsafe-swiftshader',
        '--enable-unsafe-webgpu',
        '--use-webgpu-adapter=swiftshader',
        '--disable-background-networking',
        '--no-first-run',
      ],
    });
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    context = await browser.newContext({ acceptDownloads: true });
    page = await context.newPage();
    page.setDefaultTimeout(40_000);
    said = [];
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && said.push(message.text()));
    page.on('pageerror', ({ message }) => said.push(message));
  });
  afterEach(() => context.close());

  const text = async (id: string) => ((await page.textContent(`#${id}`)) ?? '').trim();
  const open = async (hash: string) => {
    // A new document also where only the part behind # differs.
    await page.goto('about:blank');
    await page.goto(`${server.address}#${hash}`);
    await page.waitForSelector('#start:enabled');
  };
  const until = (id: string, pattern: RegExp) =>
    page.waitForFunction(
      ([id, source]) => new RegExp(source).test(document.getElementById(id)!.textContent ?? ''),
      [id, pattern.source] as const,
      { polling: 50 },
    );
  const train = async (hash: string) => {
    await open(hash);
    await page.click('#start');
    await until('status', /Trained for|Early stopping|Stopped|has ended/);
  };
  const quick = 'data=moons&epochs=2&batchSize=100';

  it.each(
    ['wasm', 'cpu', 'webgl', 'webgpu'].flatMap((backend) => [`${backend}&place=worker`, `${backend}&place=page`]),
  )(
    'trains on %s, without an error or a warning',
    async (backend) => {
      await train(`${quick}&backend=${backend}`);
      expect(await text('status')).toBe('Trained for 2 epochs.');
      expect(Number(await text('ms'))).toBeGreaterThan(0);
      expect(await page.isVisible('#notice')).toBe(false);
      expect(said).toEqual([]);
    },
    60_000,
  );

  it.each([
    'optimizer=adam&learningRate=0.002',
    'optimizer=sam',
    'optimizer=asam',
    'optimizer=penalty',
    'batchNorm=true',
    'data=digits&samples=200',
    'data=rings&every=batches',
    'data=spirals&every=share&noise=0.5',
  ])('trains with %s', async (hash) => {
    await train(`${quick}&${hash}`);
    expect(await text('status')).toBe('Trained for 2 epochs.');
    expect(Number(await text('ms'))).toBeGreaterThan(0);
    expect(await page.isVisible('#notice')).toBe(false);
    expect(said).toEqual([]);
  });

  it('trains convolutions with batch normalization', async () => {
    await train('network=cnn&batchNorm=true&backend=cpu&samples=100&epochs=1&batchSize=50');
    expect(await text('status')).toBe('Trained for 1 epoch.');
    expect(Number(await text('ms'))).toBeGreaterThan(0);
    expect(await page.locator('#layer option').allTextContents()).toEqual(['batch norm 1', 'batch norm 2']);
  }, 60_000);

  it('keeps every setting in the address: over a reload, and back again', async () => {
    await open('');
    const changes: [name: string, change: () => Promise<unknown>][] = [
      ['data=rings', () => page.click('[value=rings]')],
      ['batchNorm=true', () => page.check('[name=batchNorm]')],
      ['optimizer=adam&learningRate=0.002', () => page.selectOption('[name=optimizer]', 'adam')],
      ['learningRate=0.03', () => page.fill('[name=learningRate]', '0.03').then(() => page.keyboard.press('Tab'))],
      ['batchSize=10', () => page.fill('[name=batchSize]', '10').then(() => page.keyboard.press('Tab'))],
      ['epochs=7', () => page.fill('[name=epochs]', '7').then(() => page.keyboard.press('Tab'))],
      ['noise=0.05', () => page.focus('[name=noise]').then(() => page.keyboard.press('ArrowRight'))],
      ['every=share', () => page.selectOption('[name=every]', 'share')],
      ['earlyStopping=true', () => page.check('[name=earlyStopping]')],
      ['patience=2', () => page.fill('[name=patience]', '2').then(() => page.keyboard.press('Tab'))],
      ['seed=9', () => page.fill('[name=seed]', '9').then(() => page.keyboard.press('Tab'))],
      ['backend=cpu', () => page.click('[value=cpu]')],
      ['place=page', () => page.click('[value=page]')],
      ['data=digits', () => page.click('[value=digits]')],
      ['samples=300', () => page.fill('[name=samples]', '300').then(() => page.keyboard.press('Tab'))],
      ['network=cnn', () => page.click('[value=cnn]')],
      ['optimizer=sam', () => page.selectOption('[name=optimizer]', 'sam')],
      ['samRho=0.2', () => page.fill('[name=samRho]', '0.2').then(() => page.keyboard.press('Tab'))],
      ['optimizer=asam', () => page.selectOption('[name=optimizer]', 'asam')],
      ['asamRho=0.7', () => page.fill('[name=asamRho]', '0.7').then(() => page.keyboard.press('Tab'))],
      ['optimizer=penalty', () => page.selectOption('[name=optimizer]', 'penalty')],
      ['lambda=0.1', () => page.fill('[name=lambda]', '0.1').then(() => page.keyboard.press('Tab'))],
    ];
    const hashes = [''];
    for (const [expected, change] of changes) {
      await change();
      const { hash } = new URL(page.url());
      if (expected !== 'data=digits') {
        expect(hash).toContain(expected);
      }
      expect(hash, expected).not.toBe(hashes.at(-1));
      hashes.push(hash);
    }
    const shown = () =>
      page.$eval('#settings', (form) => [...new FormData(form as HTMLFormElement)].map(String).join(' '));
    const before = await shown();
    await page.reload();
    expect(await shown()).toBe(before);
    for (const hash of hashes.slice(-4, -1).reverse()) {
      await page.goBack();
      expect(new URL(page.url()).hash).toBe(hash);
    }
    expect(await page.inputValue('[name=optimizer]')).toBe('asam');
    expect(await page.isVisible('[name=lambda]')).toBe(false);
    expect(said).toEqual([]);
  });

  it('says what an address has wrong, and what does not go together', async () => {
    await open('batchSize=nine&data=moons');
    expect(await text('notice')).toContain("not 'nine': 64 is taken.");
    await page.click('[value=cnn]');
    expect(await text('notice')).toContain('choose digits');
    expect(await page.isDisabled('#start')).toBe(true);
    await page.click('[value=digits]');
    expect(await text('notice')).toContain('on wasm: choose WebGPU');
    await page.click('[value=webgl]');
    expect(await page.isVisible('#notice')).toBe(false);
    expect(await page.isEnabled('#start')).toBe(true);
  });

  it('says why a backend is not there', async () => {
    await page.addInitScript(() =>
      Object.defineProperty(Navigator.prototype, 'gpu', { value: { requestAdapter: async () => null } }),
    );
    await open('place=page&backend=wasm');
    await until('reasons', /No WebGPU: the browser has WebGPU, but no GPU that it may use\./);
    expect(await page.isDisabled('[value=webgpu]')).toBe(true);
    await page.goto('about:blank');
    await page.goto(`${server.address}#place=page&backend=webgpu`);
    await until('notice', /WebGPU cannot be used/);
    expect(await page.isDisabled('#start')).toBe(true);
  });

  it.each(['worker', 'page'])('pauses, goes on and stops, in the %s', async (place) => {
    await open(`data=moons&epochs=1000&place=${place}`);
    await page.click('#start');
    await until('status', /Epoch [3-9]/);
    await page.click('#pause');
    await until('status', /Paused/);
    await page.waitForTimeout(500);
    const epochs = () => page.evaluate(() => document.querySelector('#loss')!.textContent);
    const before = await epochs();
    await page.waitForTimeout(500);
    expect(await epochs()).toBe(before);
    expect(await text('pause')).toBe('Resume');
    await page.click('#pause');
    await until('status', /Epoch/);
    expect(await epochs()).not.toBe(before);
    await page.click('#stop');
    await until('status', /Stopped in epoch \d+\./);
    expect(await page.isDisabled('#pause')).toBe(true);
    expect(said).toEqual([]);
  });

  it('shows that rescaling changes the trace, and neither predictions nor Minimum Sharpness', async () => {
    await train(`${quick}&data=digits&samples=300`);
    for (const [exponent, least] of [
      ['1', 5],
      ['3', 1e4],
    ] as const) {
      await page.fill('#factor-slider', exponent);
      await until('rescaling-caption', new RegExp(`times ${exponent === '1' ? '10' : '1,000'},`));
      const ratio = (await text('trace-effect')).match(/×([\d,.e]+)/)![1].replaceAll(',', '');
      expect(Number(ratio)).toBeGreaterThan(least);
      expect(await text('ms-effect')).toContain('(×1.00)');
      const [change = '0'] = (await text('change-effect')).match(/[\d.e-]+(?= at most)/) ?? [];
      expect(Number(change)).toBeLessThan(1e-5);
    }
    const before = await text('ms-effect');
    await page.selectOption('#layer', { index: 1 });
    await until('rescaling-caption', /^dense 2 times/);
    expect(await text('ms-effect')).toBe(before);
    await page.fill('#factor-slider', '0');
    await until('rescaling-caption', /As it was trained/);
    expect(await text('trace-effect')).toContain('(×1.00)');
    expect(said).toEqual([]);
  });

  it('rescales while it trains and while it is paused', async () => {
    await open('data=moons&epochs=1000');
    await page.click('#start');
    await until('status', /Epoch [3-9]/);
    await page.fill('#factor-slider', '1');
    await until('rescaling-caption', /times 10,/);
    await page.click('#pause');
    await page.fill('#factor-slider', '2');
    await until('rescaling-caption', /times 100,/);
    expect(await text('ms-effect')).toContain('(×1.00)');
    await page.click('#stop');
    await until('status', /Stopped/);
  });

  it('stops early', async () => {
    await train('data=moons&epochs=200&earlyStopping=true&patience=1&learningRate=0.3&batchSize=30');
    expect(await text('status')).toMatch(/Early stopping: MS has levelled off after \d+ epochs\./);
  });

  it('gives the readings of all runs as CSV', async () => {
    await train(quick);
    await page.click('#start');
    await until('status', /Starting|Epoch/);
    await until('status', /Trained for/);
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#csv')]);
    const lines = readFileSync(await download.path(), 'utf8')
      .trim()
      .split('\n');
    expect(lines[0]).toMatch(/^run,epoch,step,minimumSharpness,/);
    expect(lines.slice(1).map((line) => line.split(',').slice(0, 3).join())).toEqual([
      '1,1,3',
      '1,2,6',
      '2,1,3',
      '2,2,6',
    ]);
    expect(lines.every((line) => line.split(',').length === lines[0].split(',').length)).toBe(true);
  });

  it.each(['worker', 'page'])(
    'trains again after a lost WebGL context, in the %s',
    async (place) => {
      await lose(place, 'webgl');
    },
    60_000,
  );
  it.each(['worker', 'page'])(
    'trains again after a lost WebGPU device, in the %s',
    async (place) => {
      await lose(place, 'webgpu');
    },
    60_000,
  );

  /** Loses what the backend has in the middle of a training. */
  async function lose(place: string, backend: 'webgl' | 'webgpu'): Promise<void> {
    /** Keeps every context and device at hand. */
    const watch = () => {
      const held: (() => void)[] = [];
      Object.assign(globalThis, { loseAll: () => held.splice(0).forEach((lose) => void lose()) });
      for (const canvas of [globalThis.OffscreenCanvas, globalThis.HTMLCanvasElement]) {
        if (canvas !== undefined) {
          const prototype = canvas.prototype as unknown as {
            getContext(...given: unknown[]): WebGL2RenderingContext | null;
          };
          const { getContext } = prototype;
          prototype.getContext = function (...given) {
            const made = getContext.apply(this, given);
            if (String(given[0]).startsWith('webgl')) {
              held.push(() => made?.getExtension('WEBGL_lose_context')?.loseContext());
            }
            return made;
          };
        }
      }
      const { requestDevice } = GPUAdapter.prototype;
      GPUAdapter.prototype.requestDevice = async function (...given) {
        const device = await requestDevice.apply(this, given);
        held.push(() => device.destroy());
        return device;
      };
    };
    await page.addInitScript(watch);
    await open(`data=moons&epochs=1000&backend=${backend}&place=${place}`);
    if (place === 'worker') {
      await page.workers()[0].evaluate(watch);
    }
    await page.click('#start');
    await until('status', /Epoch/);
    const loseAll = () => (globalThis as unknown as { loseAll(): void }).loseAll();
    await (place === 'worker' ? page.workers()[0].evaluate(loseAll) : page.evaluate(loseAll));
    await until('notice', /is lost/);
    const what = backend === 'webgl' ? 'The WebGL context' : 'The WebGPU device';
    expect(await text('notice')).toBe(`${what} is lost, and the weights with it. Start to train anew.`);
    await page.click('#start');
    await until('status', /Epoch [2-9]/);
    expect(await page.isVisible('#notice')).toBe(false);
    await page.click('#stop');
    await until('status', /Stopped/);
  }

  it('trains on where no frames come, as in a hidden tab', async () => {
    await page.addInitScript(() => {
      globalThis.requestAnimationFrame = () => 0;
    });
    await train(`${quick}&place=page`);
    expect(await text('status')).toBe('Trained for 2 epochs.');
  });

  it.each(['worker', 'page'])('leaves no tensor and no element behind, run after run, in the %s', async (place) => {
    await train(`${quick}&place=${place}`);
    const session = await context.newCDPSession(page);
    const counts = async () => {
      await session.send('HeapProfiler.collectGarbage');
      const { nodes } = await session.send('Memory.getDOMCounters');
      return { nodes, tensors: await page.getAttribute('html', 'data-tensors') };
    };
    const again = async () => {
      await page.click('#start');
      await until('status', /Starting|Epoch|weights/);
      await until('status', /Trained for/);
    };
    await again();
    const before = await counts();
    for (let i = 0; i < 4; i++) {
      await again();
    }
    const after = await counts();
    expect(after.tensors).toBe(before.tensors);
    expect(after.nodes).toBeLessThanOrEqual(before.nodes + 5);
  });

  it.each([
    ['light', 1280],
    ['dark', 390],
  ] as const)('has nothing serious for axe, %s, %i wide', async (colorScheme, width) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    for (const ready of [() => open('backend=cpu'), () => train(quick)]) {
      await ready();
      await page.$eval('details', (details) => details.setAttribute('open', ''));
      await page.evaluate(axe.source);
      const violations = await page.evaluate(async () => {
        const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run();
        return violations
          .filter(({ impact }) => impact === 'serious' || impact === 'critical')
          .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
      });
      expect(violations).toEqual([]);
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  });
});
