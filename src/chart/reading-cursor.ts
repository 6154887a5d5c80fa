import type { AlignedRows } from './aligned-rows.js';

/** Which row the keys have moved to. */
export interface ReadingCursor {
  /** The row that the keys have moved to; undefined while what came last is shown. */
  selected(): number | undefined;
  /** Back to what came last, without a word. */
  release(): void;
}

/**
 * Arrow keys, Page Up and Down, Home and End move over the rows while `place` has the focus; Escape and leaving it go back to what came last.
 *
 * @param latest the row of what came last, where the keys begin.
 * @param moved is called with the row that the keys went to; with null when they left it.
 */
export function readingCursor(
  place: HTMLElement,
  rows: AlignedRows,
  latest: () => number,
  moved: (row: number | null) => void,
): ReadingCursor {
  /** An x, not a row: rows may come in before it. */
  let at: number | undefined;
  const selected = () => (at === undefined ? undefined : rows.lastAtOrBefore(at));
  const leave = () => {
    if (at !== undefined) {
      at = undefined;
      moved(null);
    }
  };
  place.addEventListener('keydown', (event) => {
    const last = rows.x.length - 1;
    const leap = Math.max(1, Math.round(last / 10));
    const now = selected() ?? latest();
    const moves: Readonly<Record<string, number>> = {
      ArrowLeft: now - 1,
      ArrowDown: now - 1,
      ArrowRight: now + 1,
      ArrowUp: now + 1,
      PageDown: now - leap,
      PageUp: now + leap,
      Home: 0,
      End: last,
    };
    if (event.key === 'Escape') {
      leave();
    } else if (Object.hasOwn(moves, event.key) && last >= 0 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      const row = Math.min(last, Math.max(0, moves[event.key]!));
      at = rows.x[row];
      moved(row);
    }
  });
  place.addEventListener('blur', leave);
  return {
    selected,
    release() {
      at = undefined;
    },
  };
}
