import type { NativePackage } from './addon.js';

/** Where the lines about progress go. */
export type Say = (line: string) => void;

/**
 * A PyPI wheel that carries the TensorFlow C library. Its Python part is never run, only unpacked, so one wheel serves
 * whatever Python the machine has.
 */
export interface Wheel {
  /** Project and version on PyPI. */
  project: string;
  version: string;
  /** What pip must be told to pick this very file. */
  python: string;
  platform: string;
  file: string;
  sha256: string;
  /** Bytes of the file, and of what is taken out of it. */
  bytes: number;
  unpackedBytes: number;
}

/** The wheel each package is built on, linux x86_64 with glibc 2.27 or newer. */
export const wheels: Record<NativePackage, Wheel> = {
  '@tensorflow/tfjs-node': {
    project: 'tensorflow-cpu',
    version: '2.21.0',
    python: '3.11',
    platform: 'manylinux_2_27_x86_64',
    file: 'tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl',
    sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
    bytes: 273_829_956,
    unpackedBytes: 853_500_000,
  },
  '@tensorflow/tfjs-node-gpu': {
    project: 'tensorflow',
    version: '2.21.0',
    python: '3.11',
    platform: 'manylinux_2_27_x86_64',
    file: 'tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl',
    sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
    bytes: 572_440_367,
    unpackedBytes: 1_260_000_000,
  },
};
