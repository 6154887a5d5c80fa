import { appendedElement } from './appended-element.js';
import type { Run } from './recorded-runs.js';

/** The list of runs, each with its color and its values. */
export interface Legend {
  add(run: Run, color: string): void;
  paint(run: Run, color: string): void;
  say(run: Run, values: string): void;
}

/** A legend in a list of the page. */
export function legendIn(list: HTMLUListElement): Legend {
  const items: { readonly swatch: HTMLElement; readonly value: HTMLElement }[] = [];
  const paint = ({ index }: Run, color: string) => {
    items[index]!.swatch.style.color = color;
  };
  return {
    add(run, color) {
      const item = appendedElement(list, 'li');
      const swatch = appendedElement(item, 'span', '', { class: 'swatch' });
      swatch.innerHTML = '<svg aria-hidden="true"><path d="M0 5h20" stroke="currentColor" stroke-width="3"/></svg>';
      appendedElement(item, 'span', run.name, { class: 'name', dir: 'auto' });
      items.push({ swatch, value: appendedElement(item, 'span', 'no reading yet', { class: 'value' }) });
      paint(run, color);
    },
    paint,
    say({ index }, values) {
      items[index]!.value.textContent = values;
    },
  };
}
