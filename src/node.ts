/**
 * What needs Node: files, for TensorBoard.
 *
 * @module tfjs-sharpness/node
 */
export {
  type SummaryFileWriter,
  type TensorBoardWriterOptions,
  tensorBoardWriter,
} from './training/tensorboard/writer.js';
