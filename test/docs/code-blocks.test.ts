import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blocksOf, fencesOf, pages } from './pages.js';
import { type BlockRuns, runBlocks } from './run-blocks.js';
import type { startingPoint } from './starting-point.js';

/** streams-page.test.ts looks at what each block of that page prints. */
const blocks = Object.keys(pages)
  .filter((page) => page !== 'docs/streams.md')
  .flatMap((page) => blocksOf(page));

const given = Object.keys({
  model: true,
  xTrain: true,
  yTrain: true,
  xValidation: true,
  yValidation: true,
} satisfies Record<keyof ReturnType<typeof startingPoint>, true>);

/** The block, with what it takes for granted: the names that it uses and does not declare. */
function program(code: string): string {
  const names = given.filter(
    (name) => new RegExp(`\\b${name}\\b`).test(code) && !new RegExp(`^(const|let) ${name}\\b`, 'm').test(code),
  );
  const start = "import { startingPoint } from '../../test/docs/starting-point.js';\n";
  return `${names.length > 0 ? `${start}const { ${names.join(', ')} } = startingPoint();\n` : ''}${code}export {};\n`;
}

describe('code blocks', () => {
  let all: BlockRuns;
  beforeAll(async () => {
    all = await runBlocks(
      blocks,
      blocks.map(({ code }) => program(code)),
    );
  }, 180_000);
  afterAll(() => all?.remove());

  test('there are some, and every fence is of a known kind', () => {
    expect(blocks.length).toBeGreaterThanOrEqual(4);
    const kinds = ['ts', 'text', 'json', 'mermaid'];
    for (const page of Object.keys(pages)) {
      const fences = fencesOf(page);
      expect(pages[page]!.match(/^```/gm)?.length ?? 0, page).toBe(2 * fences.length);
      // Of HTML, test/packaging/script-tag.test.ts runs the import map in Chromium.
      const others: Readonly<Record<string, string>> = { 'docs/streams.md': 'ts setup', 'docs/browser.md': 'html' };
      const known = [...kinds, others[page]];
      expect(fences.map(({ language }) => language).filter((language) => !known.includes(language))).toEqual([]);
      for (const { content } of fences.filter(({ language }) => language === 'json')) {
        expect(() => JSON.parse(content), `${page}: ${content}`).not.toThrow();
      }
    }
  });

  test('their types are right', () => {
    expect(all.typeErrors).toBe('');
  });

  test.each(blocks.map((block, i) => ({ ...block, i })))('$page, $title: block $i runs', ({ i, code, output }) => {
    const { stdout, stderr, failed, folder } = all.runs[i]!;
    expect(failed, stderr).toBe(false);
    expect(stderr).not.toContain('tfjs-sharpness');
    expect(stdout).not.toMatch(/NaN|undefined/);
    if (output !== undefined) {
      expect(stdout).toBe(output);
    }
    for (const [, logdir] of code.matchAll(/tensorBoardWriter\('([\w/]+)'/g)) {
      expect(readdirSync(join(folder, logdir!))).toHaveLength(1);
    }
  });
});
