import { appendedElement } from './appended-element.js';
import { type LayerNumbers, layerText, shortLayerText } from './reading-words.js';

/** The values of a layer beside its name: one run's in words; those of several in short, each behind the color of its run. */
export interface LayerValues {
  /** @param runs that have the layer. */
  say(runs: readonly { readonly name: string; readonly color: string; readonly values: LayerNumbers }[]): void;
}

/** Values in a part of the page. */
export function layerValuesIn(place: HTMLElement): LayerValues {
  const shown: { readonly swatch: HTMLElement; readonly words: HTMLElement }[] = [];
  return {
    say(runs) {
      while (shown.length > runs.length) {
        const { swatch, words } = shown.pop()!;
        swatch.remove();
        words.remove();
      }
      while (shown.length < runs.length) {
        const swatch = appendedElement(place, 'span', '', { class: 'color', 'aria-hidden': 'true' });
        shown.push({ swatch, words: appendedElement(place, 'span') });
      }
      const isAlone = runs.length === 1;
      for (const [i, { color, values }] of runs.entries()) {
        const { swatch, words } = shown[i]!;
        swatch.hidden = isAlone;
        swatch.style.background = color;
        words.textContent = isAlone ? layerText(values) : shortLayerText(values);
      }
      // All of it, where it is cut off.
      const all = runs.map(({ name, values }) => `${isAlone ? '' : `${name}:`}${layerText(values)}`);
      place.title = all.join('; ').trim();
    },
  };
}
