import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { ORIGIN } from '../browser/chromium.js';

const root = join(import.meta.dirname, '../..');

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** A page to which every host gives what jsDelivr would: files of npm's packages as installed here, and of the checkout. */
export interface NpmPage {
  readonly tab: Page;
  /** Errors and warnings on the console, and errors that nothing caught. */
  readonly said: string[];
}

/** The file that jsDelivr gives for what follows `npm/`: a package, a version if any, and a path, or what the package names. */
function fileOf(address: string): string {
  const [, name, path] = /^((?:@[^/]+\/)?[^/@]+)(?:@[^/]+)?\/?(.*)$/.exec(address)!;
  const folder = name === 'tfjs-sharpness' ? root : join(root, 'node_modules', name!);
  const { jsdelivr } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { jsdelivr: string };
  return join(folder, path || jsdelivr);
}

/** Opens a page with this text, at an address that its relative links begin from. */
export async function npmPage(browser: Browser, html: string, address = ''): Promise<NpmPage> {
  const tab = await browser.newPage();
  const said: string[] = [];
  tab.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      said.push(message.text());
    }
  });
  tab.on('pageerror', ({ message }) => said.push(message));
  await tab.route('**/*', (route) => {
    const { href, pathname } = new URL(route.request().url());
    if (href === ORIGIN + address) {
      return route.fulfill({ contentType: 'text/html', body: html });
    }
    if (pathname === '/favicon.ico') {
      return route.fulfill({ status: 204 });
    }
    try {
      const file = fileOf(pathname.replace('/npm/', ''));
      return route.fulfill({
        contentType: types[extname(file)] ?? 'text/plain',
        headers: { 'access-control-allow-origin': '*' },
        body: readFileSync(file),
      });
    } catch {
      return route.fulfill({ status: 404 });
    }
  });
  await tab.goto(ORIGIN + address);
  return { tab, said };
}
