import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BrowserServer } from 'playwright-core';
import type { TestProject } from 'vitest/node';
import { type Gpu, hasChromium, served } from '../browser/chromium.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where test files ask for a browser that they share; none without Chromium. */
    readonly browsers?: string;
  }
}

/** Browsers that test files share: each is started when the first of them asks for it. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (!hasChromium) {
    return undefined;
  }
  const browsers = new Map<string, Promise<BrowserServer>>();
  const door = createServer(async ({ url = '' }, response) => {
    const gpu = url.slice(1) as Gpu;
    const browser = browsers.get(gpu) ?? served(gpu);
    browsers.set(gpu, browser);
    try {
      response.end((await browser).wsEndpoint());
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  project.provide('browsers', `http://127.0.0.1:${(door.address() as AddressInfo).port}`);
  return async () => {
    door.close();
    await Promise.allSettled([...browsers.values()].map(async (browser) => (await browser).close()));
  };
}
