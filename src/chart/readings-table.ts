import { digits } from '../measure/digits.js';
import { appendedElement } from './appended-element.js';
import { problemLine, sharpnessOf } from './reading-words.js';
import type { RecordedRuns } from './recorded-runs.js';

/** A page with more of them would be slow. */
const TABLE_ROWS = 200;

/** Puts the last readings and problems into a table, in place of what is there. */
export function fillTable(place: HTMLElement, { entries, runs }: RecordedRuns): void {
  const hasRuns = runs.length > 1;
  const shown = entries.slice(-TABLE_ROWS);
  const table = place.ownerDocument.createElement('table');
  const total = entries.length > shown.length ? `The last ${shown.length} of ${entries.length}` : 'All readings';
  appendedElement(table, 'caption', `${total}, with half the 95% interval`);
  const head = appendedElement(appendedElement(table, 'thead'), 'tr');
  for (const column of [...(hasRuns ? ['Run'] : []), 'Batch', 'Epoch', 'Minimum Sharpness', 'Trace', 'Problem']) {
    appendedElement(head, 'th', column, { scope: 'col' });
  }
  const body = appendedElement(table, 'tbody');
  for (const { run, step, reading, problem } of shown) {
    const row = appendedElement(body, 'tr');
    const epoch = (reading ?? problem)?.epoch;
    for (const cell of [
      ...(hasRuns ? [run.name] : []),
      String(step),
      epoch === undefined ? '' : String(epoch + 1),
      reading ? sharpnessOf(reading) : '',
      reading?.trace === undefined ? '' : digits(reading.trace),
      problem ? problemLine(problem) : '',
    ]) {
      appendedElement(row, 'td', cell);
    }
  }
  place.replaceChildren(table);
}
