import { writeFileSync } from 'node:fs';
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';

/** Draws a Vega-Lite chart (https://vega.github.io/vega-lite) into an SVG file. */
export async function writeChart(chart: TopLevelSpec, path: string): Promise<void> {
  const view = new View(parse(compile(chart).spec), { renderer: 'none' });
  writeFileSync(path, `${await view.toSVG()}\n`);
  view.finalize();
}
