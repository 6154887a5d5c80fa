import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

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

/** A headless Chromium without a GPU; SwiftShader emulates one, unless only a page is drawn, which is slow on that. */
export const launched = (gpu: 'emulated' | 'none' = 'emulated'): Promise<Browser> =>
  chromium.launch({
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
