import { themes } from '../chart/style.js';
import { xml } from '../chart/svg.js';
import { withLightColors } from './chart-colors.js';
import type { Figure } from './figures.js';
import type { ShownRun } from './shown-runs.js';

const MARGIN = 24;
const LINE = 22;
const FONT = 'font-family="system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif"';

/** A chart as an SVG file of its own: on light ground, with its title and the names of its runs. */
export function picture(title: string, { wide }: Figure, runs: readonly ShownRun[]): string {
  const [, width, height] = /width="([\d.]+)" height="([\d.]+)"/.exec(wide)!.map(Number) as [number, number, number];
  const { background, ink } = themes.light;
  const room = width + 2 * MARGIN;
  let [at, line] = [MARGIN, 66];
  const legend = runs.map(({ run: { name }, color, dash }) => {
    const long = 44 + 7.5 * [...name].length;
    if (at > MARGIN && at + long > room) {
      [at, line] = [MARGIN, line + LINE];
    }
    const x = at;
    at += long;
    const dashes = dash.length > 0 ? ` stroke-dasharray="${dash.join(' ')}"` : '';
    return (
      `<path d="M${x} ${line - 4}h20" stroke="${color}" stroke-width="2.5"${dashes}/>` +
      `<text x="${x + 27}" y="${line}" font-size="13" fill="${ink}">${xml(name)}</text>`
    );
  });
  const top = line + LINE;
  const size = `width="${room}" height="${top + height + MARGIN}"`;
  return withLightColors(
    [
      `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${room} ${top + height + MARGIN}" ${FONT}>`,
      `<rect width="100%" height="100%" fill="${background}"/>`,
      `<text x="${MARGIN}" y="40" font-size="20" font-weight="600" fill="${ink}">${xml(title)}</text>`,
      ...legend,
      wide.replace('<svg ', `<svg x="${MARGIN}" y="${top}" `),
      '</svg>',
      '',
    ].join('\n'),
  );
}
