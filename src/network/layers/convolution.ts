import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { withShape } from '../../tfjs/mended-operations.js';
import { convolveImageBack, timesTransposed } from '../../tfjs/products.js';
import { activationOf, kernelsAsWhole } from './activation.js';
import { channelsFirst } from './channels-first.js';
import { asPositions, type KernelSquares, kernelAndBias } from './kernel-and-bias.js';
import type { Layer } from './operation.js';
import {
  dilateKernel,
  type Geometry,
  patches,
  patchInputs,
  type Shape4,
  spreadForTranspose,
  transposePadding,
} from './patches.js';
import type { LayerRule } from './rule.js';
import { meansOfChannels, squaredNormOfSamples } from './sensitivity.js';
import { joinPositions, kernelSquaredNorm } from './squared-norms.js';

interface ConvolutionLayer extends Layer {
  rank: number;
  kernel: LayerVariable;
  bias: LayerVariable | null;
  strides: number[];
  padding: 'valid' | 'same' | 'causal';
  dilationRate: number | number[];
  dataFormat: string;
}

/** Convolution of an image or a volume: [B, ...spatial, I] with a kernel [...taps, I, O]. */
function convolve(x: tf.Tensor, kernel: tf.Tensor, { strides, dilation, padding }: Geometry): tf.Tensor {
  return kernel.rank === 5
    ? tf.conv3d(
        x as tf.Tensor5D,
        kernel as tf.Tensor5D,
        strides as [number, number, number],
        padding,
        'NDHWC',
        dilation as [number, number, number],
      )
    : tf.conv2d(
        x as tf.Tensor4D,
        kernel as tf.Tensor4D,
        strides as [number, number],
        padding,
        'NHWC',
        dilation as [number, number],
      );
}

/**
 * Its transpose: [B, ...positions, O] -> `shape`. tf.js has none for dilated kernels; one filled with zeros is the same. In
 * volumes it is a convolution with the kernel turned around, since wasm gets Conv3DBackpropInputV2 wrong.
 */
function convolveBack(delta: tf.Tensor, kernel: tf.Tensor, shape: readonly number[], geometry: Geometry): tf.Tensor {
  if ([...geometry.kernelSize, ...geometry.strides].every((size) => size === 1)) {
    return convolvePixelsBack(delta, kernel, shape);
  }
  const filled = dilateKernel(kernel, geometry.dilation);
  if (filled.rank === 5) {
    const turned = tf.transpose(tf.reverse(filled, [0, 1, 2]), [0, 1, 2, 4, 3]) as tf.Tensor5D;
    return tf.conv3d(spreadForTranspose(delta, shape, geometry) as tf.Tensor5D, turned, 1, 'valid');
  }
  return convolveImageBack(delta as tf.Tensor4D, filled as tf.Tensor4D, {
    inputShape: shape as Shape4,
    strides: geometry.strides as [number, number],
    padding: geometry.padding,
    around: transposePadding(delta.shape, shape, geometry),
  });
}

/** The same pixel by pixel, which is a product of matrices: kernels made for it are no faster, and slower for few pixels. */
function convolvePixelsBack(delta: tf.Tensor, kernel: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const [channels, filters] = kernel.shape.slice(-2);
  const pixels: tf.Tensor2D = tf.reshape(delta, [-1, filters]);
  return tf.reshape(timesTransposed(pixels, tf.reshape(kernel, [channels, filters])), [...shape]);
}

/**
 * Sensitivities channel by channel: their means over the positions through the squares of the kernel, added up over its taps.
 * It costs next to nothing, and tells as well as position by position which samples have much of the curvature.
 *
 * @param transposed whether the kernel is [...taps, O, I] rather than [...taps, I, O].
 */
function squaresByChannel(transposed = false): KernelSquares {
  return {
    ofKernel: (squares) => tf.sum(squares, [...squares.shape.keys()].slice(0, -2)),
    seesAll: () => true,
    through(q, ofTaps) {
      const [rows, columns] = ofTaps.shape;
      const [samples, ...axes] = q.shape;
      const [channels, outputs] = transposed ? [columns, rows] : [rows, columns];
      const means = meansOfChannels(q);
      const whole = (means.shape[1] === channels ? means : tf.tile(means, [1, channels])) as tf.Tensor2D;
      const product = transposed ? timesTransposed : tf.matMul;
      const found = product(whole, ofTaps as tf.Tensor2D);
      return tf.reshape(found, [samples, ...axes.slice(0, -1).fill(1), outputs]);
    },
    inputs: (x) => squaredNormOfSamples(x, x.rank),
  };
}

/**
 * Convolution in one, two or three dimensions. A 1-d convolution is a 2-d one of height 1. A 1-d layer with the channels
 * first goes the generic way, since tf.js puts the channels of its output last.
 */
export const convolution: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as ConvolutionLayer;
  if (layer.padding === 'causal' || (layer.rank === 1 && layer.dataFormat === 'channelsFirst')) {
    return kernelsAsWhole(layer, [layer.kernel], layer.bias, parameter);
  }
  const flat = layer.rank === 1;
  const perAxis = (value: number | number[]): number[] => {
    const values = typeof value === 'number' ? Array<number>(layer.rank).fill(value) : value;
    return flat ? [1, values[0]] : values;
  };
  const [kernelShape, kernelSize] = [layer.kernel.shape, layer.kernel.shape.slice(0, layer.rank)] as number[][];
  const geometry: Geometry = {
    kernelSize: perAxis(kernelSize),
    strides: perAxis(layer.strides),
    dilation: perAxis(layer.dilationRate),
    padding: layer.padding,
  };
  const imageShape = ([batch, ...shape]: readonly number[]) => (flat ? [batch, 1, ...shape] : [batch, ...shape]);
  const asImage = (x: tf.Tensor) => withShape(x, imageShape(x.shape));
  const readKernel = () => withShape(layer.kernel.read(), flat ? [1, ...kernelShape] : kernelShape);

  const linear = kernelAndBias(layer, layer.kernel, layer.bias, parameter, {
    // tf.js has no gradient of a dilated convolution; volumes have not been tried.
    differentiable: layer.rank < 3 && geometry.dilation.every((step) => step === 1) ? 'smooth' : undefined,
    product(x) {
      const image = convolve(asImage(x), readKernel(), geometry);
      const [samples, , ...rest] = image.shape;
      return flat ? tf.reshape(image, [samples, ...rest]) : image;
    },
    backward(call, delta) {
      const inputShape = [delta.shape[0], ...call.inputShapes[0].slice(1)];
      const back = convolveBack(asImage(delta), readKernel(), imageShape(inputShape), geometry);
      return [withShape(back, inputShape)];
    },
    norms: { inputs: (call) => patchInputs(asImage(call.saved[0]), geometry) },
    squares: squaresByChannel(),
    kernelProducts: (calls, deltas) => ({
      inputs: joinPositions(calls.map((call) => patches(asImage(call.saved[0]), geometry))),
      deltas,
    }),
  });
  return [layer.dataFormat === 'channelsFirst' ? channelsFirst(linear) : linear, ...activationOf(layer)];
};

/**
 * Transposed convolution in two or three dimensions, the transpose of a convolution from its output to its input: deltas
 * go through that convolution, and the gradient of the kernel, [...taps, O, I], is sum_t (patch of the delta)_t x_t^T over
 * the positions t of the input. tf.js ignores the layer's `dilationRate`.
 */
export const transposedConvolution: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as ConvolutionLayer;
  const kernelSize = (layer.kernel.shape as number[]).slice(0, layer.rank);
  const fanOut = layer.kernel.shape[layer.rank] as number;
  const geometry: Geometry = {
    kernelSize,
    strides: layer.strides,
    dilation: kernelSize.map(() => 1),
    padding: layer.padding as 'valid' | 'same',
  };
  const outputLength = (length: number, axis: number) =>
    length * layer.strides[axis] +
    (geometry.padding === 'valid' ? Math.max(kernelSize[axis] - layer.strides[axis], 0) : 0);

  const linear = kernelAndBias(layer, layer.kernel, layer.bias, parameter, {
    product(x) {
      const shape = [x.shape[0], ...x.shape.slice(1, -1).map(outputLength), fanOut];
      return convolveBack(x, layer.kernel.read(), shape, geometry);
    },
    backward: (_call, delta) => [convolve(delta, layer.kernel.read(), geometry)],
    squares: squaresByChannel(true),
    norms: {
      kernel(calls, _delta, columns) {
        const inputs = joinPositions(calls.map((call) => asPositions(call.saved[0])));
        return kernelSquaredNorm(inputs, joinPositions(calls.map((call) => patches(call.delta, geometry))), columns);
      },
    },
    kernelProducts: (calls) => ({
      inputs: joinPositions(calls.map((call) => patches(call.delta, geometry))),
      deltas: joinPositions(calls.map((call) => asPositions(call.saved[0]))),
    }),
  });
  return [layer.dataFormat === 'channelsFirst' ? channelsFirst(linear) : linear, ...activationOf(layer)];
};
