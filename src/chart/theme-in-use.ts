import { type Theme, themes } from './style.js';

/** Which theme a chart has now. */
export interface ThemeInUse {
  now(): Theme;
  /** Follows what the reader's system prefers, and the printer; while it does, it is kept in memory by the page. */
  follow(): void;
  /** Follows no longer. */
  leave(): void;
}

/**
 * @param chosen `'auto'` is what the reader's system prefers. On paper it is always light.
 * @param changed is called when it is another one: `isPrinting` when the next moment is the printer's.
 */
export function themeInUse(
  view: Window,
  chosen: 'auto' | 'light' | 'dark',
  changed: (isPrinting: boolean) => void,
): ThemeInUse {
  const prefersDark = view.matchMedia?.('(prefers-color-scheme: dark)');
  let isPrinting = false;
  const now = () => {
    const screen = chosen === 'auto' ? (prefersDark?.matches ? 'dark' : 'light') : chosen;
    return themes[isPrinting ? 'light' : screen];
  };
  let last = now();
  const check = () => {
    if (now() !== last) {
      last = now();
      changed(isPrinting);
    }
  };
  const print = () => {
    isPrinting = true;
    last = now();
    changed(true);
  };
  const printed = () => {
    isPrinting = false;
    check();
  };
  return {
    now,
    follow() {
      prefersDark?.addEventListener?.('change', check);
      view.addEventListener('beforeprint', print);
      view.addEventListener('afterprint', printed);
      check();
    },
    leave() {
      prefersDark?.removeEventListener?.('change', check);
      view.removeEventListener('beforeprint', print);
      view.removeEventListener('afterprint', printed);
    },
  };
}
