import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

/** Weights as numbers: a kernel [in, out] and a bias of each of three layers. */
export type PlainWeights = readonly (readonly number[])[];

const widths = [3, 4, 3, 2];

/** ReLUs and a softmax cross-entropy on 12 samples, as tf.js has it and in plain float64. */
export function smallNetwork(seed = 1) {
  const model = tfl.sequential({
    layers: widths.slice(1).map((units, l) =>
      tfl.layers.dense({
        units,
        ...(l === 0 && { inputShape: [widths[0]!] }),
        activation: l < 2 ? 'relu' : 'linear',
        kernelInitializer: tfl.initializers.heNormal({ seed: seed + l }),
        biasInitializer: tfl.initializers.randomNormal({ stddev: 0.3, seed: 10 * seed + l }),
      }),
    ),
  });
  const x = tf.randomNormal([12, 3], 0, 1, 'float32', seed) as tf.Tensor2D;
  const y = tf.oneHot(
    tf.tensor1d(
      Array.from({ length: 12 }, (_, n) => n % 2),
      'int32',
    ),
    2,
  );
  const weights = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const loss = () => tf.losses.softmaxCrossEntropy(y, model.apply(x) as tf.Tensor) as tf.Scalar;
  const inputs = x.arraySync();
  const plain = (): PlainWeights => weights.map((weight) => Array.from(weight.dataSync()));

  /** The mean loss, in float64. */
  function plainLoss(values: PlainWeights): number {
    let sum = 0;
    inputs.forEach((input, n) => {
      let a: number[] = input;
      for (let l = 0; l < 3; l++) {
        const [kernel, bias] = [values[2 * l]!, values[2 * l + 1]!];
        const units = widths[l + 1]!;
        a = bias.map((b, j) => a.reduce((total, each, i) => total + each * kernel[i * units + j]!, b));
        a = l < 2 ? a.map((each) => Math.max(0, each)) : a;
      }
      sum += Math.log(Math.exp(a[0]!) + Math.exp(a[1]!)) - a[n % 2]!;
    });
    return sum / inputs.length;
  }

  /** The first hidden layer times 5, the second one divided by it. */
  function rescale(): void {
    [5, 5, 1 / 5].forEach((factor, b) => {
      weights[b]!.assign(tf.tidy(() => tf.mul(weights[b]!, factor)));
    });
  }

  return { model, weights, loss, plain, plainLoss, rescale, widths, x, y };
}
