import { appendedElement } from './appended-element.js';
import type { ChartOptions } from './chart-options.js';

/** The parts of a chart in the page. Their heights are fixed: see style.ts. */
export interface ChartFigure {
  readonly element: HTMLElement;
  /** Batch and epoch of the values shown, or the problem there. */
  readonly when: HTMLElement;
  readonly runs: HTMLUListElement;
  /** The place of the large plot: for screen readers a slider over the readings. */
  readonly main: HTMLElement;
  /** Adds the place of a layer's plot, and what shows its values. */
  addLayer(name: string): { readonly place: HTMLElement; readonly values: HTMLElement };
  readonly details: HTMLDetailsElement;
  readonly table: HTMLElement;
  /** What screen readers say when it changes. */
  readonly said: HTMLElement;
}

/** @param id of its own in the page. */
export function chartFigure(
  page: Document,
  { title, height, trace, layers, theme }: Omit<Required<ChartOptions>, 'name' | 'scale'>,
  id: string,
): ChartFigure {
  const element = page.createElement('figure');
  element.className = 'tfjs-sharpness-chart';
  if (theme !== 'auto') {
    element.dataset.theme = theme;
  }
  element.setAttribute('aria-labelledby', `${id}-title`);
  appendedElement(element, 'figcaption', title, { id: `${id}-title`, dir: 'auto' });
  const when = appendedElement(element, 'div', 'No reading yet', { class: 'when' });
  const runs = appendedElement(element, 'ul', '', { class: 'runs' });
  const main = appendedElement(element, 'div', '', {
    class: 'plot main',
    tabindex: '0',
    role: 'slider',
    'aria-label': `${title}, reading`,
    'aria-orientation': 'horizontal',
    'aria-valuemin': '0',
    'aria-valuemax': '0',
    'aria-valuenow': '0',
    'aria-valuetext': 'No reading yet',
  });
  // Not by an attribute, which a Content-Security-Policy may forbid.
  main.style.height = `${height}px`;
  const dashed = trace ? ' Dashed: plain trace.' : '';
  const key = `Over training batches. Band: 95% interval; ring: an error that is not reliable.${dashed} Triangle: a problem.`;
  appendedElement(element, 'p', key, { class: 'key' });
  const group = (name: string, words: string, to = element) =>
    appendedElement(to, 'div', '', { class: name, tabindex: '0', role: 'group', 'aria-label': words });
  const strip = layers
    ? group('layers', 'Trace (left axis) and alpha (right axis, dashed) of each layer')
    : page.createElement('div');
  const details = appendedElement(element, 'details');
  appendedElement(details, 'summary', 'Readings as a table');
  return {
    element,
    when,
    runs,
    main,
    addLayer(name) {
      const layer = appendedElement(strip, 'div', '', { class: 'layer' });
      const words = appendedElement(layer, 'p');
      appendedElement(words, 'b', name);
      const values = appendedElement(words, 'span');
      const label = `Trace and alpha of the layer ${name}`;
      const place = appendedElement(layer, 'div', '', { class: 'plot', role: 'img', 'aria-label': label });
      return { place, values };
    },
    details,
    table: group('table', 'Readings', details),
    said: appendedElement(element, 'div', '', { class: 'said', 'aria-live': 'polite' }),
  };
}
