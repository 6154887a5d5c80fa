import { digits, table } from '../report.js';
import { median } from '../statistics.js';
import { labelSections } from './label-tables.js';
import type { Lines } from './lines.js';
import { sweepSections } from './sweep-tables.js';

/** Processor time of one thread. */
function cost({ costs }: Lines): string[] {
  if (costs.length === 0) {
    return ['Not measured yet.'];
  }
  const titlesOfWays = [...new Set(costs.map(({ way }) => way))];
  const settings = [...new Set(costs.map(({ network, images }) => `${network}, ${images}`))];
  const seconds = (ms: number) => (ms < 1000 ? `${digits(ms)} ms` : `${digits(ms / 1000)} s`);
  const rows = settings.map((setting) => {
    const of = costs.filter(({ network, images }) => `${network}, ${images}` === setting);
    const whole = (way: string) => {
      const line = of.find((each) => each.way === way);
      return line && { ms: (median(line.cpuMs) * line.weights) / line.done, isWhole: line.done === line.weights };
    };
    const base = whole(titlesOfWays[0]!);
    return [
      setting,
      ...titlesOfWays.map((way) => {
        const found = whole(way);
        return found
          ? `${found.isWhole ? '' : '≈ '}${seconds(found.ms)}${base && found !== base && way !== titlesOfWays[0] ? ` (${digits(found.ms / base.ms)} x)` : ''}`
          : '-';
      }),
    ];
  });
  const loads = costs.map(({ load }) => Number(load));
  return [
    ...table(['network, images', ...titlesOfWays], rows),
    '',
    `Processor time of one reading, user and system, with one thread; in brackets how many times ours. "≈" from ${Math.min(...costs.map(({ done }) => done))} of the weights, evenly spread. ` +
      `${costs[0]!.machine} Load average ${Math.min(...loads)} to ${Math.max(...loads)}: other programs ran on the cores, which makes all of it somewhat slower.`,
  ];
}

/** The generated parts of the pages, by name. */
export const sections: Readonly<Record<string, (lines: Lines) => string[]>> = {
  ...labelSections,
  ...sweepSections,
  cost,
};
