import * as tf from '@tensorflow/tfjs-core';

/** Numbers of a row, of the type that its tensor has. */
export type Row = Float32Array | Int32Array | Uint8Array;

/** The rows of some samples, of each input: [places, ...]. They are the caller's. */
export function gatherRows(inputs: readonly tf.Tensor[], places: readonly number[]): tf.Tensor[] {
  return tf.tidy(() => {
    const indices = tf.tensor1d([...places], 'int32');
    return inputs.map((x) => tf.gather(x, indices));
  });
}

/** Reads the rows of some samples: for each of these one row an input. */
export async function readRows(inputs: readonly tf.Tensor[], places: readonly number[]): Promise<Row[][]> {
  if (places.length === 0) {
    return [];
  }
  const gathered = gatherRows(inputs, places);
  try {
    const values = (await Promise.all(gathered.map((x) => x.data()))) as Row[];
    return places.map((_, i) =>
      values.map((all) => all.slice((i * all.length) / places.length, ((i + 1) * all.length) / places.length)),
    );
  } finally {
    tf.dispose(gathered);
  }
}

/** Rows -> [rows, ...shape]. */
export function stackRows(rows: readonly Row[], shape: readonly number[], dtype: tf.DataType): tf.Tensor {
  const width = rows[0].length;
  const values = dtype === 'int32' ? new Int32Array(rows.length * width) : new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    values.set(row, i * width);
  });
  return tf.tensor(values, [rows.length, ...shape], dtype);
}

/** Bytes that one sample's rows take. */
export function bytesOfRows(inputs: readonly tf.Tensor[]): number {
  return inputs.reduce((sum, { size, shape: [samples] }) => sum + (4 * size) / samples, 0);
}
