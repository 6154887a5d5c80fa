/** The part of the package that needs Node: files. */
export {
  type SummaryFileWriter,
  type TensorBoardWriterOptions,
  tensorBoardWriter,
} from './training/tensorboard/writer.js';
