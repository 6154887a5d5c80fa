import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** One wording: a `@throws` says which kind of error, and that its message is one line; or whose error it passes on. */
const wording = /^(Error|RangeError) with one line\b|^what /;

it('every @throws in src/ begins with the same words', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  const found = files.flatMap((path) =>
    readFileSync(`src/${path}`, 'utf8')
      .split('\n')
      .flatMap((line, i) => {
        const at = line.indexOf('@throws');
        return at < 0 ? [] : [{ at: `src/${path}:${i + 1}`, says: line.slice(at + '@throws'.length).trim() }];
      }),
  );
  expect(found.length).toBeGreaterThan(80);
  expect(found.filter(({ says }) => !wording.test(says)).map(({ at, says }) => `${at} ${says}`)).toEqual([]);
});
