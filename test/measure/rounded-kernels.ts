import * as tf from '@tensorflow/tfjs-core';

/** How the bits that are too many go: to the nearest number, ties to even, or off. */
export type Rounding = 'nearest' | 'cut';

/** With this many bits behind the leading one: 10 in TF32. */
function rounded({ dataId, shape }: tf.TensorInfo, bits: number, rounding: Rounding): tf.Tensor {
  const backend = tf.backend() as unknown as { readSync(id: object): Float32Array };
  const values = Float32Array.from(backend.readSync(dataId), (value) => {
    if (value === 0 || !Number.isFinite(value)) {
      return value;
    }
    const step = 2 ** (Math.floor(Math.log2(Math.abs(value))) - bits);
    const steps = value / step;
    if (rounding === 'cut') {
      return step * Math.trunc(steps);
    }
    return step * (Math.abs(steps % 1) === 0.5 ? 2 * Math.round(steps / 2) : Math.round(steps));
  });
  return tf.tensor(values, shape);
}

/** Kernels that GPUs run on tensor cores, with the names of their factors. */
const products: Readonly<Record<string, readonly string[]>> = {
  BatchMatMul: ['a', 'b'],
  _FusedMatMul: ['a', 'b'],
  Conv2D: ['x', 'filter'],
  FusedConv2D: ['x', 'filter'],
  Conv2DBackpropInput: ['dy', 'filter'],
  Conv3D: ['x', 'filter'],
};

/**
 * Makes the products of the present backend round their factors.
 *
 * @param names of the kernels. Default: all products.
 * @returns undoes it.
 */
export function roundProducts(bits: number, rounding: Rounding, names = Object.keys(products)): () => void {
  const backendName = tf.getBackend();
  const register = (kernel: tf.KernelConfig) => {
    tf.unregisterKernel(kernel.kernelName, backendName);
    tf.registerKernel(kernel);
  };
  const originals = names.flatMap((name) => tf.getKernel(name, backendName) ?? []);
  for (const original of originals) {
    const factors = products[original.kernelName]!;
    const kernelFunc: tf.KernelFunc = (params) => {
      const made = factors.map((name) => rounded(params.inputs[name]!, bits, rounding));
      const inputs = { ...params.inputs, ...Object.fromEntries(factors.map((name, i) => [name, made[i]!])) };
      return original.kernelFunc({ ...params, inputs });
    };
    register({ ...original, kernelFunc });
  }
  return () => originals.forEach(register);
}
