import type * as tfl from '@tensorflow/tfjs-layers';

/**
 * Minimum Sharpness of a chain of homogeneous layers, slowly: plain gradient descent on the log scales.
 *
 * s_l is the log scale behind the l-th layer with weights, 0 at the input and behind the last one. The sum of
 * T exp(-2 (s_l - s_{l-1})) over kernels and gammas and T exp(-2 s_l) over biases and betas is convex, and so is its logarithm, whose
 * second derivative is at most 8 in every direction (the largest squared length of an exponent's gradient): a step of
 * 1/8 never overshoots.
 */
export function chainMinimum(model: tfl.LayersModel, traces: ReadonlyMap<string, number>): number {
  const weighted = model.layers.filter((layer) => layer.trainableWeights.length > 0);
  const terms = weighted.flatMap((layer, l) =>
    layer.trainableWeights.map(({ originalName }) => ({
      trace: traces.get(originalName)!,
      multiplies: /\/(kernel|gamma)$/.test(originalName),
      l,
    })),
  );
  const s = new Float64Array(weighted.length);
  let value = 0;
  for (let step = 0; step < 200_000; step++) {
    value = 0;
    const gradient = new Float64Array(s.length);
    for (const { trace, multiplies, l } of terms) {
      const before = multiplies && l > 0 ? s[l - 1]! : 0;
      const term = trace * Math.exp(-2 * (s[l]! - before));
      value += term;
      gradient[l]! -= 2 * term;
      if (multiplies && l > 0) {
        gradient[l - 1]! += 2 * term;
      }
    }
    gradient[s.length - 1] = 0;
    const slope = Math.max(...gradient.map(Math.abs)) / value;
    if (slope < 1e-9) {
      break;
    }
    for (let l = 0; l < s.length; l++) {
      s[l]! -= gradient[l]! / value / 8;
    }
  }
  return value;
}
