import * as tf from '@tensorflow/tfjs-core';
import { backendName } from './backend.js';

/** Methods of the wasm backend, as far as they are used here. */
interface WasmBackend {
  readonly dataIdMap: { has(dataId: object): boolean };
  makeOutput(shape: readonly number[], dtype: tf.DataType): tf.TensorInfo;
  typedArrayFromHeap(info: tf.TensorInfo): Float32Array | Int32Array | Uint8Array;
}

/** `tf.slice` of whole rows. (On wasm that copies all of the tensor first, whatever part is wanted.) */
export function consecutiveRows(x: tf.Tensor, begin: number, count: number): tf.Tensor {
  const wasm = backendName() === 'wasm' ? (tf.backend() as unknown as WasmBackend) : null;
  if (!wasm?.dataIdMap.has(x.dataId) || x.dtype === 'string') {
    return tf.slice(x, begin, count);
  }
  const width = x.size / x.shape[0];
  const rows = wasm.makeOutput([count, ...x.shape.slice(1)], x.dtype);
  // The heap may have grown, and moved, for the new one.
  wasm.typedArrayFromHeap(rows).set(wasm.typedArrayFromHeap(x).subarray(begin * width, (begin + count) * width));
  return tf.engine().makeTensorFromTensorInfo(rows);
}
