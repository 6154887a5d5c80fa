import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { build, createServer } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasChromium, launched } from '../../browser/chromium.js';
import { tasksDuring } from '../../browser/page-tasks.js';
import { type StaticServer, staticServer } from './static-server.js';

const configFile = fileURLToPath(new URL('../../../examples/playground/vite.config.ts', import.meta.url));

/** The built page in a headless Chromium without a GPU, from a folder of a plain server. Most cases share a tab. */
describe.skipIf(!hasChromium && !process.env.CI)('the playground', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tfjs-sharpness-playground-'));
  let server: StaticServer;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  /** What consoles said, and what was thrown. */
  let said: string[] = [];

  beforeAll(async () => {
    const built = build({
      configFile,
      logLevel: 'error',
      build: { outDir: folder, minify: false, emptyOutDir: false },
    });
    [browser] = await Promise.all([launched(), built]);
    server = await staticServer(folder);
    context = await browser.newContext({ acceptDownloads: true, viewport: { width: 1280, height: 900 } });
    page = await tab();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true });
  });
  afterEach(() => {
    const all = said;
    said = [];
    expect(all).toEqual([]);
  });

  async function tab(): Promise<Page> {
    const made = await context.newPage();
    made.setDefaultTimeout(50_000);
    made.on('console', (message) => ['error', 'warning'].includes(message.type()) && said.push(message.text()));
    made.on('pageerror', ({ message }) => said.push(message));
    return made;
  }
  const text = async (id: string, of = page) => ((await of.textContent(`#${id}`)) ?? '').trim();
  const number = async (id: string, of = page) => Number((await text(id, of)).replaceAll(',', ''));
  const open = async (hash: string, of = page, address = server.address) => {
    // A new document also where only the part behind # differs.
    await of.goto('about:blank');
    await of.goto(`${address}#${hash}`);
    await of.waitForSelector('#start:enabled');
  };
  const until = (id: string, pattern: RegExp, of = page) =>
    of.waitForFunction(
      ([id, source]) => new RegExp(source).test(document.getElementById(id)!.textContent ?? ''),
      [id, pattern.source] as const,
      { polling: 50 },
    );
  /** The page is in that state from the moment of the click on. */
  const untilIt = (state: 'is idle' | 'is training', of = page) =>
    of.waitForFunction((name) => document.body.dataset.state === name, state.replace('is ', ''), { polling: 50 });
  const trainAgain = async (of = page) => {
    await of.click('#start');
    await untilIt('is idle', of);
  };
  const train = async (hash: string, of = page) => {
    await open(hash, of);
    await trainAgain(of);
  };
  const tensors = async (of = page) => Number(await of.getAttribute('body', 'data-tensors'));
  const quick = 'data=moons&epochs=2&batchSize=100';

  it('shows its first reading within 15 seconds, from the folder of any server', async () => {
    const before = performance.now();
    await open('epochs=3');
    await page.click('#start');
    await until('ms', /\d/);
    const seconds = (performance.now() - before) / 1000;
    console.log(`playground: ${seconds.toFixed(1)} s to the first reading`);
    expect(seconds).toBeLessThan(15);
    await untilIt('is idle');
    expect(await text('status')).toBe('Trained for 3 epochs.');
    expect(await page.locator('#curves li .value').allTextContents()).toEqual([
      expect.stringMatching(/^\d.*, trace \d/),
    ]);
  });

  it('says in plain text what it needs where a browser does not load its program', async () => {
    const other = await tab();
    await other.goto(pathToFileURL(join(folder, 'index.html')).href);
    await other.waitForSelector('#notice:visible');
    expect(await text('notice', other)).toMatch(/It needs JavaScript, and a server/);
    await other.close();
    said = said.filter((line) => !/CORS|ERR_FAILED|file:/.test(line));
  });

  it('shows it soon from `npm run playground` as well, the first time', async () => {
    const other = await tab();
    const before = performance.now();
    const development = await createServer({ configFile, logLevel: 'error', cacheDir: join(folder, 'cache') });
    await development.listen();
    await open('epochs=3', other, development.resolvedUrls!.local[0]);
    await other.click('#start');
    await until('ms', /\d/, other);
    const seconds = (performance.now() - before) / 1000;
    console.log(`playground: ${seconds.toFixed(1)} s from npm run playground to the first reading`);
    // Half of it on a machine that has nothing else to do.
    expect(seconds).toBeLessThan(30);
    await untilIt('is idle', other);
    await other.close();
    await development.close();
  });

  it.each(['wasm&place=page', 'cpu&place=worker', 'cpu&place=page'])('trains on %s', async (backend) => {
    await train(`${quick}&backend=${backend}`);
    expect(await text('status')).toBe('Trained for 2 epochs.');
    expect(await number('ms')).toBeGreaterThan(0);
    expect(await page.isVisible('#notice')).toBe(false);
  });

  it.each([
    'optimizer=adam&learningRate=0.002',
    'optimizer=sam',
    'optimizer=asam&batchNorm=true',
    'optimizer=penalty',
    'data=rings&every=batches&batchSize=30',
  ])('trains with %s', async (hash) => {
    await train(`${quick}&${hash}`);
    expect(await text('status')).toMatch(/^Trained for \d+ epochs\.$/);
    expect(await number('ms')).toBeGreaterThan(0);
    expect(await page.isVisible('#notice')).toBe(false);
  });

  it('measures in a share of the time, and shows wrong labels', async () => {
    await open('data=spirals&noise=0.5&every=share&epochs=1000');
    await page.click('#start');
    await until('ms', /\d/);
    expect(await text('scene-caption')).toMatch(/^300 training points.* \d+ have a wrong label, and a ring\.$/);
    await page.click('#stop');
    await untilIt('is idle');
  });

  it('trains the same network wherever the seed is the same', async () => {
    const found: string[] = [];
    for (const hash of ['seed=3', 'seed=3&place=page', 'seed=4']) {
      await train(`${quick}&noise=0.2&${hash}`);
      found.push(`${await text('ms')}, ${await text('loss')}, ${await text('test-accuracy')}`);
    }
    expect(found[1]).toBe(found[0]);
    expect(found[2]).not.toBe(found[0]);
  });

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
    // Away from the page, and back again.
    await page.goto('about:blank');
    await page.goBack();
    expect(await page.inputValue('[name=optimizer]')).toBe('asam');
    expect(await page.inputValue('[name=asamRho]')).toBe('0.5');
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

  it('starts also with a value that is out of range in a row that is hidden', async () => {
    await open(`${quick}&optimizer=penalty`);
    await page.fill('[name=lambda]', '50');
    await page.selectOption('[name=optimizer]', 'sgd');
    expect(await text('notice')).toContain("not '50'");
    await trainAgain();
    expect(await text('status')).toBe('Trained for 2 epochs.');
    expect(await text('notice')).toContain("not '50'");
  });

  it('says why a backend is not there', async () => {
    const other = await tab();
    await other.addInitScript(() =>
      Object.defineProperty(Navigator.prototype, 'gpu', { value: { requestAdapter: async () => null } }),
    );
    await open('place=page&backend=wasm', other);
    await until('reasons', /No WebGPU: the browser has WebGPU, but no GPU that it may use\./, other);
    expect(await other.isDisabled('[value=webgpu]')).toBe(true);
    await other.goto('about:blank');
    await other.goto(`${server.address}#place=page&backend=webgpu`);
    await until('notice', /WebGPU cannot be used/, other);
    expect(await other.isDisabled('#start')).toBe(true);
    await other.close();
  });

  it.each(['worker', 'page'])('pauses, goes on, rescales and stops, in the %s', async (place) => {
    await open(`data=moons&epochs=1000&place=${place}`);
    await page.click('#start');
    await until('progress', /Epoch [3-9]/);
    await page.fill('#factor-slider', '1');
    await until('rescaling-caption', /times 10,/);
    await page.click('#pause');
    expect(await text('pause')).toBe('Resume');
    await page.fill('#factor-slider', '2');
    await until('rescaling-caption', /times 100,/);
    expect(await text('ms-effect')).toContain('(×1.00)');
    const before = await text('loss');
    await page.waitForTimeout(300);
    expect(await text('loss')).toBe(before);
    expect(await text('status')).toBe('Paused.');
    await page.click('#pause');
    await until('loss', new RegExp(`^(?!${before.replace('.', '\\.')}$)`));
    await page.click('#stop');
    await untilIt('is idle');
    expect(await text('status')).toMatch(/^Stopped in epoch \d+\.$/);
    expect(await page.isDisabled('#pause')).toBe(true);
  });

  it('starts anew in the middle of a training, also elsewhere, and one training is left', async () => {
    await open('data=moons&epochs=1000');
    await page.dblclick('#start');
    await until('progress', /Epoch [3-9]/);
    await page.click('[value=page]');
    await page.click('#start');
    await until('progress', /Epoch [3-9]/);
    await page.click('#stop');
    await untilIt('is idle');
    await page.waitForTimeout(300);
    const shown = await page.textContent('.numbers');
    await page.waitForTimeout(300);
    expect(await page.textContent('.numbers')).toBe(shown);
    expect(await text('status')).toMatch(/^Stopped in epoch/);
  });

  it('shows that rescaling changes the trace, and neither predictions nor Minimum Sharpness', async () => {
    await train(`${quick}&data=digits&samples=300`);
    for (const [exponent, least] of [
      ['1', 5],
      ['3', 1e4],
    ] as const) {
      await page.fill('#factor-slider', exponent);
      await until('rescaling-caption', new RegExp(`times ${exponent === '1' ? '10' : '1,000'},`));
      const ratio = (await text('trace-effect')).match(/×([\d,.e]+)/)![1]!.replaceAll(',', '');
      expect(Number(ratio)).toBeGreaterThan(least);
      expect(await text('ms-effect')).toContain('(×1.00)');
      expect(await text('change-effect')).toMatch(/^the same for all 300 samples/);
      const [trace, ms] = await page.$$eval('.bar-fill', (bars) =>
        (bars as HTMLElement[]).map(({ style }) =>
          ['--before', '--value'].map((name) => Number.parseFloat(style.getPropertyValue(name))),
        ),
      );
      expect(trace![1]).toBeGreaterThan(trace![0]! + 5);
      expect(ms![1]).toBeCloseTo(ms![0]!, 1);
    }
    const before = await text('ms-effect');
    await page.selectOption('#layer', { index: 1 });
    await until('rescaling-caption', /^dense 2 times/);
    expect(await text('ms-effect')).toBe(before);
    await page.fill('#factor-slider', '0');
    await until('rescaling-caption', /As it was trained/);
    expect(await text('trace-effect')).toContain('(×1.00)');
  });

  it('trains to the same end where it was rescaled on the way', async () => {
    const found: string[] = [];
    for (const isRescaled of [false, true]) {
      await open('data=moons&epochs=8&batchSize=30&batchNorm=true');
      await page.click('#start');
      if (isRescaled) {
        // As soon as it can be paused: it is over in no time.
        await page.waitForFunction(() => {
          const pause = document.getElementById('pause') as HTMLButtonElement;
          pause.click();
          return !pause.disabled;
        });
        await page.fill('#factor-slider', '3');
        await until('rescaling-caption', / times 1,000,/);
        await page.click('#pause');
      }
      await untilIt('is idle');
      found.push(`${await text('ms')}, ${await text('loss')}, ${await text('test-accuracy')}`);
    }
    expect(found[1]).toBe(found[0]);
  });

  it('says where training has diverged, and trains again', async () => {
    await train('data=spirals&learningRate=10&epochs=20');
    expect(await text('ms-remarks')).toContain('the network has collapsed');
    await page.fill('#factor-slider', '1');
    await until('rescaling-caption', /nothing to compare: the network has collapsed\./);
    await page.fill('[name=learningRate]', '0.1');
    await page.fill('[name=epochs]', '2');
    await page.keyboard.press('Tab');
    await trainAgain();
    expect(await text('status')).toBe('Trained for 2 epochs.');
    expect(await number('ms')).toBeGreaterThan(0);
  });

  it.each(['worker', 'page'])('stops while it is starting, and starts then, in the %s', async (place) => {
    await open(`${quick}&place=${place}`);
    await page.evaluate(() => {
      for (const id of ['start', 'stop']) {
        document.getElementById(id)!.click();
      }
    });
    expect(await text('status')).toBe('Stopped before it had begun.');
    await page.waitForTimeout(500);
    expect(await text('status')).toBe('Stopped before it had begun.');
    await trainAgain();
    expect(await text('status')).toBe('Trained for 2 epochs.');
    expect(await page.isVisible('#notice')).toBe(false);
  });

  it.each(['worker', 'page'])(
    'tells that the server is out of reach, and starts when it is back, in the %s',
    async (place) => {
      const other = await tab();
      await open(`${quick}&data=digits&samples=200&place=${place}`, other);
      server.isThere = false;
      await trainAgain(other);
      expect(await text('notice', other)).toMatch(/^[^\n]+$/);
      server.isThere = true;
      await trainAgain(other);
      expect(await text('status', other)).toBe('Trained for 2 epochs.');
      expect(await other.isVisible('#notice')).toBe(false);
      await other.close();
      said = said.filter((line) => !/net::ERR/.test(line));
    },
  );

  it.each(['worker', 'page'])('trains on wasm in the %s where a server isolates the page', async (place) => {
    const isolating = await staticServer(folder, {
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
    });
    const other = await tab();
    await open(`${quick}&place=${place}`, other, isolating.address);
    expect(await other.evaluate(() => crossOriginIsolated)).toBe(true);
    await trainAgain(other);
    expect(await text('status', other)).toBe('Trained for 2 epochs.');
    await other.close();
    isolating.close();
  });

  it('looks for backends in the worker or the page, whichever is chosen, and leaves no context behind', async () => {
    const other = await tab();
    await other.route(/worker-.*\.js/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `delete self.OffscreenCanvas;${await response.text()}` });
    });
    await open('', other);
    await until('reasons', /No WebGL: this browser has no WebGL 2 here\./, other);
    // Chromium has 16 contexts, and says so where there are more.
    for (let i = 0; i < 20; i++) {
      await other.click('[value=page]');
      await until('reasons', /^(?!.*No WebGL:)/, other);
      await other.click('[value=worker]');
      await until('reasons', /No WebGL:/, other);
    }
    await other.close();
  });

  it('stops early', async () => {
    await train('data=moons&epochs=200&earlyStopping=true&patience=1&learningRate=0.3&batchSize=30');
    expect(await text('status')).toMatch(/Early stopping: MS has levelled off after \d+ epochs\./);
  });

  it('gives the readings of all runs as CSV, and the link', async () => {
    await train(quick);
    await trainAgain();
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#csv')]);
    const lines = readFileSync(await download.path(), 'utf8')
      .trim()
      .split('\n');
    expect(lines[0]).toMatch(/^run,epoch,step,minimumSharpness,/);
    expect(lines.slice(1).map((line) => line.split(',').slice(0, 3).join())).toEqual([
      '1,0,3',
      '1,1,6',
      '2,0,3',
      '2,1,6',
    ]);
    expect(lines.every((line) => line.split(',').length === lines[0]!.split(',').length)).toBe(true);
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.click('#to-rescaling');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('rescaling');
    await page.click('#share');
    await until('status', /The link is copied/);
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(page.url());
    expect(new URL(page.url()).hash).toBe('#data=moons&batchSize=100&epochs=2');
  });

  it.each(['worker', 'page'])('leaves no tensor and no element behind in 20 runs, in the %s', async (place) => {
    await train(`data=moons&epochs=1&batchSize=300&place=${place}`);
    const session = await context.newCDPSession(page);
    const nodes = async () => {
      await session.send('HeapProfiler.collectGarbage');
      return (await session.send('Memory.getDOMCounters')).nodes;
    };
    const again = async (times: number) => {
      for (let i = 0; i < times; i++) {
        await trainAgain();
      }
    };
    await again(5); // three runs are shown
    const before = { tensors: await tensors(), nodes: await nodes() };
    await again(14);
    expect(await tensors()).toBe(before.tensors);
    // What a frame or a timer still holds goes with it: a chart has 60 nodes.
    await expect.poll(nodes, { timeout: 10_000 }).toBeLessThan(before.nodes + 14);
    expect(await page.locator('#curves li .name').allTextContents()).toEqual(['run 20', 'run 19', 'run 18']);
  });

  it('trains on where no frames come, as in a hidden tab, and shows it afterwards', async () => {
    const other = await tab();
    await other.addInitScript(() => {
      const waiting: FrameRequestCallback[] = [];
      globalThis.requestAnimationFrame = (draw) => waiting.push(draw);
      Object.assign(globalThis, { show: () => waiting.splice(0).forEach((draw) => void draw(performance.now())) });
    });
    await train(`${quick}&place=page`, other);
    expect(await text('status', other)).toBe('Trained for 2 epochs.');
    const values = other.locator('#curves li .value');
    expect(await values.allTextContents()).toEqual(['no reading yet']);
    await other.evaluate(() => (globalThis as unknown as { show(): void }).show());
    expect(await values.allTextContents()).toEqual([expect.stringMatching(/trace/)]);
    await other.close();
  });

  it('leaves the page without a long task while a worker trains and measures', async () => {
    for (const hash of ['epochs=3&every=batches', 'data=moons&epochs=60']) {
      await open(hash);
      await page.click('#start');
      await untilIt('is training');
      const tasks = await tasksDuring(page, () => untilIt('is idle'));
      expect(await number('ms')).toBeGreaterThan(0);
      expect(tasks.length).toBeGreaterThan(20);
      expect(Math.max(...tasks)).toBeLessThan(50);
    }
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
      const { violations } = await new AxeBuilder({ page }).analyze();
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  });

  // On an emulated GPU most of the time goes into compiling shaders, anew for every device; what WebGPU does in the page it does in a worker.
  it.each([
    ['webgl', 'page'],
    ['webgl', 'worker'],
    ['webgpu', 'worker'],
  ] as const)(
    'trains on %s in the %s, also after its device is lost',
    async (backend, place) => {
      const other = await tab();
      other.setDefaultTimeout(150_000);
      await other.addInitScript(holdDevices);
      const isSmall = backend === 'webgpu' || place === 'page';
      const hash = isSmall
        ? 'data=moons&epochs=1000&batchSize=300'
        : 'network=cnn&batchNorm=true&samples=100&epochs=1000&batchSize=100';
      await open(`${hash}&backend=${backend}&place=${place}`, other);
      if (place === 'worker') {
        await other.workers()[0]!.evaluate(holdDevices);
      }
      await other.click('#start');
      await (backend === 'webgl' ? until('progress', /Epoch/, other) : until('status', /weights/, other));
      await (place === 'worker' ? other.workers()[0]!.evaluate(loseDevices) : other.evaluate(loseDevices));
      await untilIt('is idle', other);
      const what = backend === 'webgl' ? 'The WebGL context' : 'The WebGPU device';
      expect(await text('notice', other)).toBe(`${what} is lost, and the weights with it. Start to train anew.`);
      expect(await text('status', other)).toBe('Training has ended.');

      await other.click('#start');
      await until('ms', /\d/, other);
      expect(await number('ms', other)).toBeGreaterThan(0);
      expect(await other.isVisible('#notice')).toBe(false);
      await other.click('#stop');
      await untilIt('is idle', other);
      if (place === 'page') {
        const found = await tensors(other);
        await train('data=moons&epochs=1&batchSize=300', other);
        // Those of one model, of its optimizer and of its data: what was lost has left none.
        expect(found).toBe(await tensors(other));
      }
      await other.close();
      // The browser says so itself; and so does the warning of a reading that was waiting for the device.
      said = said.filter((line) => !/context lost|CONTEXT_LOST|device.*lost/i.test(line));
    },
    300_000,
  );
});

/** In the page or its worker: keeps every context and device at hand. */
function holdDevices(): void {
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
  // The empty page has none.
  if (typeof GPUAdapter === 'undefined') {
    return;
  }
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...given) {
    const device = await requestDevice.apply(this, given);
    held.push(() => device.destroy());
    return device;
  };
}

const loseDevices = () => (globalThis as unknown as { loseAll(): void }).loseAll();
