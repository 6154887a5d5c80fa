import { expect, it } from 'vitest';
import { type DrawnPlot, svgOf, xml } from '../../src/chart/svg.js';

const plot: DrawnPlot = {
  title: 'a < b',
  width: 300,
  height: 100,
  area: { left: 50, top: 10, width: 240, height: 70 },
  series: [
    {
      color: '#112233',
      width: 2,
      dash: [5, 4],
      pieces: [
        [
          [50, 20],
          [60.126, 30],
        ],
        [
          [80, 40],
          [90, 50],
        ],
      ],
      filled: false,
    },
    {
      color: '#1122332e',
      width: 0,
      dash: [],
      pieces: [
        [
          [50, 20],
          [60, 30],
          [60, 40],
        ],
      ],
      filled: true,
    },
  ],
  ticks: [{ side: 'left', at: 20, text: '1e6' }],
  marks: [{ at: 70, color: '#ff0000', text: 'failed: "x" & y' }],
  rings: [{ at: [80, 40.001], color: '#112233' }],
};
const chart = {
  title: 'MS & more',
  legend: [{ name: 'one', color: '#112233', dash: [] }],
  colors: { background: '#fff', ink: '#000', grid: '#eee' },
  main: plot,
  layers: [plot, plot],
};

it('lines are paths that break at gaps, bands are filled, problems are said', () => {
  const svg = svgOf(chart);
  expect(svg).toContain('<path d="M50 20L60.13 30M80 40L90 50" fill="none" stroke="#112233"');
  expect(svg).toContain('<path d="M50 20L60 30L60 40Z" fill="#1122332e" stroke="none"');
  expect(svg).toContain('<title>failed: &quot;x&quot; &amp; y</title>');
  expect(svg).toContain('<circle cx="80" cy="40" r="4" fill="#fff" stroke="#112233"');
  expect(svg).toContain('>1e6</text>');
  expect(svg.match(/>a &lt; b</g)).toHaveLength(3);
  expect(svg).not.toMatch(/NaN|undefined/);
});

it('text of any kind is text for XML', () => {
  expect(xml('a<b>&"c"\u0000\ud800\ufffe é 😀')).toBe('a&lt;b&gt;&amp;&quot;c&quot; é 😀');
});

it('the names of many runs go on in the next line', () => {
  const legend = Array.from({ length: 20 }, (_, i) => ({ name: `run number ${i}`, color: '#112233', dash: [] }));
  const xs = [...svgOf({ ...chart, legend }).matchAll(/<text x="(\d+)" y="(\d+)" font-size="12"/g)].map(
    ([, x, y]) => [Number(x), Number(y)] as const,
  );
  expect(xs).toHaveLength(20);
  expect(Math.max(...xs.map(([x]) => x))).toBeLessThan(332);
  expect(new Set(xs.map(([, y]) => y)).size).toBeGreaterThan(5);
});
