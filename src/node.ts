/**
 * What needs Node: files, for TensorBoard.
 *
 * @packageDocumentation
 */
export {
  type SummaryFileWriter,
  type TensorBoardWriterOptions,
  tensorBoardWriter,
} from './training/tensorboard/writer.js';
