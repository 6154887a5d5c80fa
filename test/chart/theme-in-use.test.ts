import { expect, it } from 'vitest';
import { themes } from '../../src/chart/style.js';
import { themeInUse } from '../../src/chart/theme-in-use.js';

/** A page on a system that prefers the dark or not. */
function view(matches: boolean) {
  const prefersDark = Object.assign(new EventTarget(), { matches });
  return Object.assign(new EventTarget(), {
    prefersDark,
    matchMedia: () => prefersDark,
    turn(isDark: boolean) {
      prefersDark.matches = isDark;
      prefersDark.dispatchEvent(new Event('change'));
    },
  });
}

it('follows the system while it is told to, and sees afterwards what has changed meanwhile', () => {
  const page = view(false);
  const changes: boolean[] = [];
  const { now, follow, leave } = themeInUse(page as never, 'auto', (isPrinting) => changes.push(isPrinting));
  follow();
  follow();
  expect([now(), changes.length]).toEqual([themes.light, 0]);
  page.turn(true);
  expect([now(), changes.length]).toEqual([themes.dark, 1]);
  leave();
  page.turn(false);
  expect(changes.length).toBe(1);
  follow();
  expect([now(), changes.length]).toEqual([themes.light, 2]);
});

it('is light on paper, whatever was chosen, and drawn anew for it', () => {
  const page = view(true);
  const changes: [boolean, object][] = [];
  const theme = themeInUse(page as never, 'dark', (isPrinting) => changes.push([isPrinting, theme.now()]));
  theme.follow();
  page.dispatchEvent(new Event('beforeprint'));
  page.dispatchEvent(new Event('afterprint'));
  expect(changes).toEqual([
    [true, themes.light],
    [false, themes.dark],
  ]);
});

it('a page without media queries is light', () => {
  expect(themeInUse(new EventTarget() as never, 'auto', () => {}).now()).toBe(themes.light);
});
