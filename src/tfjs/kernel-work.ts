import * as tf from '@tensorflow/tfjs-core';
import { backendName, isSynchronous } from './backend.js';
import { replacing } from './replaced-method.js';

/** About what work takes on a backend, in ns. */
interface Rates {
  /** A call of a kernel, whatever its size. */
  readonly call: number;
  /** A multiply-add of a product or a convolution. */
  readonly product: number;
  /** A number that a kernel reads or writes. */
  readonly number: number;
}

/** From readings of dense and convolutional networks on two processor cores. Single kernels took a fifth to five times as much. */
const rates: Readonly<Record<string, Rates>> = {
  cpu: { call: 2_000, product: 3, number: 20 },
  wasm: { call: 5_000, product: 0.1, number: 2 },
  tensorflow: { call: 60_000, product: 0.03, number: 1 },
};

type Inputs = Readonly<Record<string, tf.Tensor>>;
type Attributes = Readonly<Record<string, unknown>>;

const sizeOf = (shape: readonly number[]) => shape.reduce((product, each) => product * each, 1);
/** Multiply-adds behind each number of what a convolution puts out: a filter of each channel by itself has only its window. */
const perNumber = ({ shape }: tf.Tensor, isByChannel = false) => sizeOf(shape.slice(0, isByChannel ? -2 : -1));

const products = ({ a }: Inputs, { transposeA }: Attributes, output: tf.Tensor) =>
  output.size * a.shape[a.rank - (transposeA ? 2 : 1)];
const convolution = ({ filter }: Inputs, _: Attributes, output: tf.Tensor) => output.size * perNumber(filter);
const ofDelta = ({ dy, filter }: Inputs) => dy.size * perNumber(filter);
const ofFilter = ({ dy }: Inputs, { filterShape }: Attributes) =>
  dy.size * sizeOf((filterShape as number[]).slice(0, -1));
const byChannel = ({ filter }: Inputs, _: Attributes, output: tf.Tensor) => output.size * perNumber(filter, true);

/** Multiply-adds of the kernels that are made of them. */
const multiplyAdds: Readonly<Record<string, (inputs: Inputs, attributes: Attributes, output: tf.Tensor) => number>> = {
  BatchMatMul: products,
  _FusedMatMul: products,
  Conv2D: convolution,
  FusedConv2D: convolution,
  Conv2DBackpropInput: ofDelta,
  Conv2DBackpropFilter: ofFilter,
  Conv3D: convolution,
  Conv3DBackpropInputV2: ofDelta,
  Conv3DBackpropFilterV2: ofFilter,
  DepthwiseConv2dNative: byChannel,
  FusedDepthwiseConv2D: byChannel,
  DepthwiseConv2dNativeBackpropInput: ({ dy, filter }) => dy.size * perNumber(filter, true),
  DepthwiseConv2dNativeBackpropFilter: ({ dy }, { filterShape }) =>
    dy.size * sizeOf((filterShape as number[]).slice(0, -2)),
  Einsum(inputs, { equation }) {
    const terms = (equation as string).split('->')[0].split(',');
    const lengths = new Map(
      terms.flatMap((term, i) => [...term].map((axis, d): [string, number] => [axis, inputs[i].shape[d]])),
    );
    return sizeOf([...lengths.values()]);
  },
};

/**
 * Runs a scope, and says how long its kernels take, in ms of no machine in particular: it is counted from shapes, multiply-adds and numbers,
 * so that the same network comes to the same in every process. 0 on a GPU, which works on behind the calls.
 *
 * @param see told after each kernel.
 */
export function watchKernels<T>(see: (ms: number) => void, scope: () => T): T {
  const rate = rates[backendName()];
  if (!rate || !isSynchronous()) {
    return scope();
  }
  const engine = tf.engine();
  const { runKernel } = engine;
  const watched: typeof engine.runKernel = (name, inputs, attributes) => {
    const found = runKernel.call(engine, name, inputs, attributes);
    const outputs = [found].flat() as tf.Tensor[];
    if (name !== 'Reshape') {
      const multiplied = multiplyAdds[name]?.(inputs as Inputs, attributes as Attributes, outputs[0]);
      // A product reads its factors again and again, which its rate contains.
      const read = multiplied === undefined ? Object.values(inputs as Inputs).flat() : [];
      const numbers = [...read, ...outputs].reduce((sum, { size }) => sum + size, 0);
      see((rate.call + rate.product * (multiplied ?? 0) + rate.number * numbers) / 1e6);
    }
    return found as never;
  };
  return replacing(engine, 'runKernel', watched, scope);
}
