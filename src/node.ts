/**
 * What needs Node: files of readings, for TensorBoard, as JSON lines and as CSV.
 *
 * @module tfjs-sharpness/node
 */
export { csvWriter } from './training/files/csv.js';
export { jsonLinesWriter, readJsonLines } from './training/files/json-lines.js';
export {
  type SummaryFileWriter,
  type TensorBoardWriterOptions,
  tensorBoardWriter,
} from './training/tensorboard/writer.js';
