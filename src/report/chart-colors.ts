import { type Theme, themes } from '../chart/style.js';

/** Colors as a style sheet knows them: a page is light or dark after its charts were drawn. */
export const color = (name: string): string => `var(--${name})`;

/** A run is told by its color, and from the seventh on by dashes too. */
export const runColor = (index: number): string => color(`run-${index % themes.light.runs.length}`);
export const runDash = (index: number): number[] => {
  const round = Math.floor(index / themes.light.runs.length);
  return round === 0 ? [] : [6, 1 + 2 * round];
};

const valuesOf = ({ runs, ...theme }: Theme): [string, string][] => [
  ...Object.entries(theme),
  ...runs.map((run, i): [string, string] => [`run-${i}`, run]),
];

/** The colors of a theme as properties of CSS. */
export const cssColors = (theme: Theme): string =>
  valuesOf(theme)
    .map(([name, value]) => `--${name}:${value};`)
    .join('');

/** The same drawing with the light colors in it, for programs that know no style sheets. */
export function withLightColors(svg: string): string {
  const values = new Map(valuesOf(themes.light));
  return svg.replace(/var\(--([\w-]+)\)/g, (found, name: string) => values.get(name) ?? found);
}
