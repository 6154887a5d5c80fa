import type { TopLevelSpec } from 'vega-lite';
import { xml } from '../chart/svg.js';
import { optionalPackage } from '../files/optional-package.js';
import { color } from './chart-colors.js';

/** A chart, and what it says to those who do not see it. */
export interface Chart {
  readonly title: string;
  readonly description: string;
  /** Of Vega-Lite. */
  readonly spec: object;
}

/** Draws charts into SVG, whose colors are those of the page. */
export type DrawChart = (chart: Chart) => Promise<string>;

const SANS = 'system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif';

const config = {
  aria: false,
  background: null,
  padding: 2,
  font: SANS,
  view: { stroke: null },
  axis: {
    labelColor: color('quiet'),
    titleColor: color('quiet'),
    gridColor: color('grid'),
    domain: false,
    ticks: false,
    labelFontSize: 11,
    titleFontSize: 11,
    titleFontWeight: 400,
    labelPadding: 6,
    titlePadding: 8,
  },
} as const;

/** What Vega writes for its own style sheets and events, labels that it hides since they would overlap, and empty frames. */
const withoutMeaning = new RegExp(
  [
    '<text[^>]* opacity="0"[^>]*>[^<]*</text>',
    '<path aria-hidden="true" d="(?:M0,0h0v0h0Z)?"[^>]*/>',
    ' (?:class|role|aria-roledescription|aria-hidden|pointer-events|stroke-miterlimit|font-family)="[^"]*"',
    ' (?:opacity="1"|stroke-dasharray="")',
  ].join('|'),
  'g',
);

/**
 * @returns what draws, by Vega-Lite.
 * @throws Error with one line that names the install where Vega is not there.
 */
export async function chartDrawing(): Promise<DrawChart> {
  const [vega, vegaLite] = await Promise.all([
    optionalPackage<typeof import('vega')>('vega', 'a report', 'vega vega-lite'),
    optionalPackage<typeof import('vega-lite')>('vega-lite', 'a report', 'vega vega-lite'),
  ]);
  let count = 0;
  return async ({ title, description, spec }) => {
    const compiled = vegaLite.compile({ ...spec, config } as unknown as TopLevelSpec).spec;
    const view = new vega.View(vega.parse(compiled), { renderer: 'none' });
    const svg = await view.toSVG();
    view.finalize();
    const id = `chart-${++count}`;
    const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg)!;
    return (
      svg
        .replace(withoutMeaning, '')
        // In tags alone: labels are numbers too.
        .replace(/<[^>]*>/g, (tag) =>
          tag.replace(/\d+\.\d{3,}/g, (number) => String(Math.round(Number(number) * 100) / 100)),
        )
        .replace(
          /^<svg[^>]*>/,
          () =>
            `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" ` +
            `font-family="${SANS}" aria-labelledby="${id}-title ${id}-desc"><title id="${id}-title">${xml(title)}</title>` +
            `<desc id="${id}-desc">${xml(description)}</desc>`,
        )
    );
  };
}
