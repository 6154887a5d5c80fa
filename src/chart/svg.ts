/** A line, a band or marks of a plot, in its own pixels. */
export interface DrawnSeries {
  readonly color: string;
  readonly width: number;
  readonly dash: readonly number[];
  /** Pieces between gaps; each point is x, y. */
  readonly pieces: readonly (readonly (readonly [number, number])[])[];
  /** Filled without a line: a band. */
  readonly filled: boolean;
}

/** A plot as it was last drawn: what an SVG file needs of it. */
export interface DrawnPlot {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  /** The area inside the axes. */
  readonly area: { readonly left: number; readonly top: number; readonly width: number; readonly height: number };
  readonly series: readonly DrawnSeries[];
  /** `at`: pixels along the axis. */
  readonly ticks: readonly { readonly side: 'left' | 'right' | 'bottom'; readonly at: number; readonly text: string }[];
  readonly marks: readonly { readonly at: number; readonly color: string; readonly text: string }[];
  readonly rings: readonly { readonly at: readonly [number, number]; readonly color: string }[];
}

/** What is around the plots. */
export interface DrawnChart {
  readonly title: string;
  readonly legend: readonly { readonly name: string; readonly color: string; readonly dash: readonly number[] }[];
  readonly colors: { readonly background: string; readonly ink: string; readonly grid: string };
  readonly main: DrawnPlot;
  readonly layers: readonly DrawnPlot[];
}

const FONT = 'font-family="system-ui, sans-serif"';
const MARGIN = 16;
const LINE = 18;

/** Text as XML takes it: what a run or a layer is named may be anything, and control characters are not allowed in XML at all. */
export function xml(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  // Control characters, halves of surrogate pairs and what is no character.
  return text.replace(/(?![\t\n\r])\p{Cc}|\p{Cs}|[\ufffe\uffff]/gu, '').replace(/[&<>"]/g, (c) => entities[c]!);
}

const px = (value: number) => String(Math.round(value * 100) / 100);
const dashes = (dash: readonly number[]) => (dash.length > 0 ? ` stroke-dasharray="${dash.join(' ')}"` : '');

function seriesSvg({ color, width, dash, pieces, filled }: DrawnSeries): string {
  const path = pieces
    .filter((piece) => piece.length > 0)
    .map((piece) => `M${piece.map(([x, y]) => `${px(x)} ${px(y)}`).join('L')}${filled ? 'Z' : ''}`)
    .join('');
  const paint = filled
    ? `fill="${xml(color)}" stroke="none"`
    : `fill="none" stroke="${xml(color)}" stroke-width="${width}" stroke-linejoin="round" stroke-linecap="round"`;
  return path === '' ? '' : `<path d="${path}" ${paint}${dashes(dash)}/>`;
}

function plotSvg(plot: DrawnPlot, x: number, y: number, id: string, colors: DrawnChart['colors']): string {
  const { area, ticks, marks, rings } = plot;
  const [right, bottom] = [area.left + area.width, area.top + area.height];
  const text = (at: readonly [number, number], anchor: string, words: string) =>
    `<text x="${px(at[0])}" y="${px(at[1])}" text-anchor="${anchor}" font-size="11" fill="${xml(colors.ink)}">${xml(words)}</text>`;
  const line = (from: readonly [number, number], to: readonly [number, number], color: string) =>
    `<path d="M${px(from[0])} ${px(from[1])}L${px(to[0])} ${px(to[1])}" stroke="${xml(color)}"/>`;
  const axes = ticks.map(({ side, at, text: words }) => {
    if (side === 'bottom') {
      return line([at, area.top], [at, bottom], colors.grid) + text([at, bottom + 16], 'middle', words);
    }
    return side === 'left'
      ? line([area.left, at], [right, at], colors.grid) + text([area.left - 6, at + 4], 'end', words)
      : text([right + 6, at + 4], 'start', words);
  });
  const clip = `<clipPath id="${id}"><rect x="${px(area.left)}" y="${px(area.top)}" width="${px(area.width)}" height="${px(area.height)}"/></clipPath>`;
  const title = plot.title === '' ? '' : text([area.left, 10], 'start', plot.title);
  const problems = marks.map(
    ({ at, color, text: words }) =>
      `<path d="M${px(at)} ${px(bottom - 9)}l5 9h-10z" fill="${xml(color)}"><title>${xml(words)}</title></path>`,
  );
  return [
    `<g transform="translate(${px(x)} ${px(y)})">`,
    clip,
    title,
    ...axes,
    `<g clip-path="url(#${id})">`,
    ...plot.series.map(seriesSvg),
    ...rings.map(
      ({ at: [cx, cy], color }) =>
        `<circle cx="${px(cx)}" cy="${px(cy)}" r="4" fill="${xml(colors.background)}" stroke="${xml(color)}" stroke-width="1.5"/>`,
    ),
    ...problems,
    '</g></g>',
  ].join('\n');
}

/** An SVG file of a chart: the same numbers, scales and ticks that the canvas shows, as paths and text. */
export function svgOf({ title, legend, colors, main, layers }: DrawnChart): string {
  const perRow = Math.max(1, Math.floor(main.width / Math.max(1, layers[0]?.width ?? 1)));
  const rows = Math.ceil(layers.length / perRow);
  const rowHeight = (layers[0]?.height ?? 0) + 8;
  const width = Math.max(main.width, layers[0]?.width ?? 0) + 2 * MARGIN;
  let [at, line] = [MARGIN, 46];
  const names = legend.map(({ name, color, dash }) => {
    const wide = 40 + 7 * [...name].length;
    if (at > MARGIN && at + wide > width) {
      [at, line] = [MARGIN, line + LINE];
    }
    const x = at;
    at += wide;
    return (
      `<path d="M${x} ${line}h18" stroke="${xml(color)}" stroke-width="2"${dashes(dash)}/>` +
      `<text x="${x + 24}" y="${line + 4}" font-size="12" fill="${xml(colors.ink)}">${xml(name)}</text>`
    );
  });
  const top = line + LINE;
  const height = top + main.height + (rows > 0 ? 8 + rows * rowHeight : 0) + MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${px(width)}" height="${px(height)}" viewBox="0 0 ${px(width)} ${px(height)}" ${FONT} role="img">`,
    `<title>${xml(title)}</title>`,
    `<rect width="100%" height="100%" fill="${xml(colors.background)}"/>`,
    `<text x="${MARGIN}" y="28" font-size="16" font-weight="600" fill="${xml(colors.ink)}">${xml(title)}</text>`,
    ...names,
    plotSvg(main, MARGIN, top, 'plot', colors),
    ...layers.map((layer, i) => {
      const [column, row] = [i % perRow, Math.floor(i / perRow)];
      return plotSvg(
        layer,
        MARGIN + column * layer.width,
        top + main.height + 8 + row * rowHeight,
        `layer-${i}`,
        colors,
      );
    }),
    '</svg>',
    '',
  ].join('\n');
}
