import { existsSync } from 'node:fs';
import { type Browser, type BrowserServer, chromium } from 'playwright-core';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Whether there is a browser to test in. */
export const hasChromium = existsSync(executablePath);

/** WebGPU is there on pages from a secure origin only; nothing listens here. */
export const ORIGIN = 'http://localhost/';

const emulation = [
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
];

/** SwiftShader emulates a GPU, unless only a page is drawn, which is slow on that. */
export type Gpu = 'emulated' | 'none';

const headless = (gpu: Gpu) => ({
  executablePath,
  args: [
    '--no-sandbox',
    ...(gpu === 'emulated' ? emulation : ['--disable-gpu']),
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
  ],
});

/** A headless Chromium on a machine without a GPU. */
export const launched = (gpu: Gpu = 'emulated'): Promise<Browser> => chromium.launch(headless(gpu));

/** The same, which other processes connect to. */
export const served = (gpu: Gpu): Promise<BrowserServer> => chromium.launchServer(headless(gpu));
