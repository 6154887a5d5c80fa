/**
 * A live chart of Minimum Sharpness in a page, on [uPlot](https://github.com/leeoniya/uPlot), which has to be installed beside the
 * package: `npm install uplot`.
 *
 * @module tfjs-sharpness/chart
 */
export type { ChartOptions } from './chart/chart-options.js';
export type { ChartSource } from './chart/chart-source.js';
export type { ChartReading } from './chart/reading-words.js';
export { type ChartPlace, type SharpnessChart, sharpnessChart } from './chart/sharpness-chart.js';
