import { expect, it } from 'vitest';
import { pageStyle } from '../../src/report/page-style.js';

it('names no color that it does not define, and loads nothing', () => {
  const used = [...pageStyle.matchAll(/var\(--([\w-]+)\)/g)].map(([, name]) => name!);
  for (const name of used) {
    expect(pageStyle).toContain(`--${name}:`);
  }
  expect(pageStyle).not.toMatch(/url\(|@import|<\//);
});
