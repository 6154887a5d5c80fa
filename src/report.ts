/**
 * A page of readings: one HTML file with charts and tables. Needs Node, and the packages vega and vega-lite.
 *
 * @module tfjs-sharpness/report
 */
export {
  type ReportSource,
  type SharpnessReport,
  type SharpnessReportOptions,
  sharpnessReport,
} from './report/sharpness-report.js';
