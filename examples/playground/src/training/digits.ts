import testImages from '../../../data/mnist5k-test-images.idx3.gz?url';
import testLabels from '../../../data/mnist5k-test-labels.idx1.gz?url';
import trainImages from '../../../data/mnist5k-train-images.idx3.gz?url';
import trainLabels from '../../../data/mnist5k-train-labels.idx1.gz?url';
import type { Samples } from './samples.js';

const addresses = { train: [trainImages, trainLabels], test: [testImages, testLabels] } as const;

/** Handwritten digits of MNIST, 28 x 28 bytes each: 4,000 to train on, 1,000 to test. */
export interface Digits {
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}

const loaded = new Map<string, Promise<Digits>>();

/** They are fetched once. @throws Error with one line where that fails; the next call tries again. */
export function digits(split: 'train' | 'test'): Promise<Digits> {
  const [images, labels] = addresses[split];
  const pending =
    loaded.get(split) ??
    Promise.all([idxValues(images), idxValues(labels)]).then(([pixels, labels]) => ({ pixels, labels }));
  loaded.set(split, pending);
  pending.catch(() => loaded.delete(split));
  return pending;
}

/** The first `count` of them, as numbers from 0 to 1. */
export function digitSamples({ pixels, labels }: Digits, count: number): Samples {
  const width = 28 * 28;
  return {
    inputs: Float32Array.from(pixels.subarray(0, count * width), (value) => value / 255),
    labels: labels.slice(0, count),
    width,
    classes: 10,
  };
}

/** An IDX file: a magic number with the rank in its last byte, the sizes of the axes in 32 bits each, then the values. */
async function idxValues(address: string): Promise<Uint8Array> {
  const response = await fetch(address);
  if (!response.ok) {
    throw new Error(`The digits could not be loaded: the server says ${response.status} of ${address}.`);
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  // Some servers unpack a .gz by themselves: they say that it is an encoding.
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const unpacked = packed
    ? await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer()
    : bytes.buffer;
  const all = new Uint8Array(unpacked);
  return all.subarray(4 + 4 * all[3]);
}
