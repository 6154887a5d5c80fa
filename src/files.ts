/**
 * Saved models and data files: measured as they lie on the disk or on a server. Needs Node.
 *
 * @module tfjs-sharpness/files
 */
export type { FileBackend } from './files/backend.js';
export { type FileProblem, type FileReading, type MeasureFilesOptions, measureFiles } from './files/measure-files.js';
