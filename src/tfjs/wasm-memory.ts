import * as tf from '@tensorflow/tfjs-core';

/*
 * What tf.js' wasm backend has no fast kernel for, done in its memory, with its gradients. Its own slices copy the whole tensor that they
 * cut from.
 */

/** Fields of tf.js' wasm backend, as far as they are used here. */
interface WasmBackend {
  /** Without an offset, in memory of its own. */
  makeOutput(shape: number[], dtype: 'float32', memoryOffset?: number): tf.TensorInfo;
  getMemoryOffset(dataId: object): number;
  /** Until memory grows: ask again after each allocation. */
  typedArrayFromHeap(tensor: tf.TensorInfo): Float32Array;
  disposeData(dataId: object): boolean;
  readonly dataIdMap: { get(dataId: object): { memoryOffset: number } };
}

const wasm = () => tf.backend() as unknown as WasmBackend;

/** A tensor in memory of its own, once it has been filled. */
function filled<T extends tf.Tensor>(shape: T['shape'], fill: (made: tf.TensorInfo) => void): T {
  const backend = wasm();
  const made = backend.makeOutput(shape, 'float32');
  try {
    fill(made);
  } catch (error) {
    backend.disposeData(made.dataId);
    throw error;
  }
  return tf.engine().makeTensorFromTensorInfo(made) as T;
}

/** Runs something on a matrix that begins within a tensor, at this element, without copying it. */
function withPart<T>(x: tf.TensorInfo, begin: number, shape: number[], run: (part: tf.TensorInfo) => T): T {
  const backend = wasm();
  const offset = backend.getMemoryOffset(x.dataId) + Float32Array.BYTES_PER_ELEMENT * begin;
  const part = backend.makeOutput(shape, 'float32', offset);
  try {
    return run(part);
  } finally {
    // What is freed is not the memory of the tensor that it is a part of.
    backend.dataIdMap.get(part.dataId).memoryOffset = 0;
    backend.disposeData(part.dataId);
  }
}

/** One product for each sample, a_n b_n, by the kernel for matrices: [N, M, K] and [N, K, L] -> [N, M, L]. */
export function multiplySamples(a: tf.Tensor3D, b: tf.Tensor3D): tf.Tensor3D {
  return tf.customGrad((...inputs) => {
    const [left, right, save] = inputs as unknown as [tf.Tensor3D, tf.Tensor3D, tf.GradSaveFunc];
    save([left, right]);
    return {
      value: oneByOne(left, right),
      gradFunc: (dy: tf.Tensor, [l, r]: tf.Tensor[]) => [tf.matMul(dy, r, false, true), tf.matMul(l, dy, true, false)],
    };
  })(a, b) as tf.Tensor3D;
}

function oneByOne(a: tf.Tensor3D, b: tf.Tensor3D): tf.Tensor3D {
  const backend = wasm();
  const { kernelFunc } = tf.getKernel('BatchMatMul', 'wasm');
  const [samples, rows, inner] = a.shape;
  const columns = b.shape[2];
  const attrs = { transposeA: false, transposeB: false };
  return filled<tf.Tensor3D>([samples, rows, columns], (product) => {
    for (let n = 0; n < samples; n++) {
      withPart(a, n * rows * inner, [1, rows, inner], (left) =>
        withPart(b, n * inner * columns, [1, inner, columns], (right) => {
          const one = kernelFunc({ inputs: { a: left, b: right }, attrs, backend }) as tf.TensorInfo;
          backend.typedArrayFromHeap(product).set(backend.typedArrayFromHeap(one), n * rows * columns);
          backend.disposeData(one.dataId);
        }),
      );
    }
  });
}

/** How a window slides over an image, with one entry for the height and one for the width. */
export interface Windows {
  readonly size: Pair;
  readonly strides: Pair;
  readonly dilation: Pair;
  /** Zeros before the image. */
  readonly before: Pair;
  readonly positions: Pair;
}

type Pair = readonly [number, number];

/** What windows see of images, zeros outside of them: [B, H, W, C] -> [B, h w, taps * C]. */
export function seenByWindows(x: tf.Tensor4D, windows: Windows): tf.Tensor3D {
  const [samples, , , channels] = x.shape;
  const { size, positions } = windows;
  const shape: [number, number, number] = [samples, positions[0] * positions[1], size[0] * size[1] * channels];
  const see = (of: tf.Tensor) =>
    filled<tf.Tensor3D>(shape, (seen) => {
      slide(x.shape, windows, of, seen, false);
    });
  return tf.customGrad((...inputs) => ({
    value: see(inputs[0] as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => putBackByWindows(dy as tf.Tensor3D, x.shape, windows),
  }))(x) as tf.Tensor3D;
}

/** The transpose of `seenByWindows`: [B, h w, taps * C] -> [B, H, W, C]. */
export function putBackByWindows(seen: tf.Tensor3D, shape: tf.Tensor4D['shape'], windows: Windows): tf.Tensor4D {
  const putBack = (of: tf.Tensor) =>
    filled<tf.Tensor4D>(shape, (image) => {
      slide(shape, windows, image, of, true);
    });
  return tf.customGrad((...inputs) => ({
    value: putBack(inputs[0] as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => seenByWindows(dy as tf.Tensor4D, windows),
  }))(seen) as tf.Tensor4D;
}

/** Numbers that stand together, from which on a call that copies them is faster than a loop. */
const LONG = 16;

/** Copies from an image to what windows see of it, or adds what they see to the image. */
function slide(
  [samples, height, width, channels]: tf.Tensor4D['shape'],
  { size, strides, dilation, before, positions }: Windows,
  ofImage: tf.TensorInfo,
  ofWindows: tf.TensorInfo,
  back: boolean,
): void {
  const [image, seen] = [ofImage, ofWindows].map((each) => wasm().typedArrayFromHeap(each));
  (back ? image : seen).fill(0);
  const heap = new Float32Array(image.buffer);
  const [imageAt, seenAt] = [image, seen].map((each) => each.byteOffset / Float32Array.BYTES_PER_ELEMENT);
  // Taps beside each other are one piece of the image.
  const [together, pieces] = dilation[1] === 1 ? [size[1], 1] : [1, size[1]];
  let place = 0;
  for (let n = 0; n < samples; n++) {
    for (let y = 0; y < positions[0]; y++) {
      for (let x = 0; x < positions[1]; x++) {
        for (let i = 0; i < size[0]; i++) {
          const row = y * strides[0] + i * dilation[0] - before[0];
          for (let j = 0; j < pieces; j++) {
            const column = x * strides[1] + j * dilation[1] - before[1];
            const first = Math.max(0, -column) * channels;
            const end = (row >= 0 && row < height ? Math.min(together, width - column) : 0) * channels;
            const begin = ((n * height + row) * width + column) * channels;
            if (back) {
              for (let k = first; k < end; k++) {
                image[begin + k] += seen[place + k];
              }
            } else if (end - first > LONG) {
              heap.copyWithin(seenAt + place + first, imageAt + begin + first, imageAt + begin + end);
            } else {
              for (let k = first; k < end; k++) {
                seen[place + k] = image[begin + k];
              }
            }
            place += together * channels;
          }
        }
      }
    }
  }
}
