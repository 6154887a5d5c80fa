/*
 * Sharpness-aware training of a small network from the papers' formulas, in plain float64 JavaScript: no tf.js, nothing of src/.
 */

/** The four parameters of dense(hidden, tanh) and dense(outputs), each as one flat list in tf.js' order. */
export type Parameters = readonly [kernel1: number[], bias1: number[], kernel2: number[], bias2: number[]];

const map = (parameters: Parameters, f: (values: number[], i: number) => number[]) =>
  parameters.map(f) as unknown as Parameters;
const zip = (a: readonly number[], b: readonly number[], f: (a: number, b: number) => number) =>
  a.map((value, i) => f(value, b[i]!));

/** Loss (mean of squared errors over samples and outputs) and its gradient. */
export function lossAndGradient([kernel1, bias1, kernel2, bias2]: Parameters, xs: number[][], ys: number[][]) {
  const [hidden, outputs] = [bias1.length, bias2.length];
  const gradient: Parameters = [kernel1.map(() => 0), bias1.map(() => 0), kernel2.map(() => 0), bias2.map(() => 0)];
  let loss = 0;
  xs.forEach((x, sample) => {
    const h = bias1.map((bias, j) => Math.tanh(x.reduce((sum, xi, i) => sum + xi * kernel1[i * hidden + j]!, bias)));
    const z = bias2.map((bias, k) => h.reduce((sum, hj, j) => sum + hj * kernel2[j * outputs + k]!, bias));
    const errors = z.map((zk, k) => zk - ys[sample]![k]!);
    loss += errors.reduce((sum, error) => sum + error ** 2, 0) / (xs.length * outputs);
    const dz = errors.map((error) => (2 * error) / (xs.length * outputs));
    dz.forEach((dzk, k) => {
      gradient[3][k]! += dzk;
      h.forEach((hj, j) => {
        gradient[2][j * outputs + k]! += hj * dzk;
      });
    });
    h.forEach((hj, j) => {
      const dh = dz.reduce((sum, dzk, k) => sum + dzk * kernel2[j * outputs + k]!, 0) * (1 - hj ** 2);
      gradient[1][j]! += dh;
      x.forEach((xi, i) => {
        gradient[0][i * hidden + j]! += xi * dh;
      });
    });
  });
  return { loss, gradient };
}

const norm = (parameters: Parameters) => Math.sqrt(parameters.flat().reduce((sum, value) => sum + value ** 2, 0));

/** arXiv 2010.01412, equation 2 with p = 2. */
export function samPerturbation(_: Parameters, gradient: Parameters, rho: number): Parameters {
  const length = norm(gradient);
  return map(gradient, (values) => values.map((value) => (rho * value) / length));
}

/** arXiv 2102.11600: rho T^2 g / ||T g||, T = |w| + eta for kernels and 1 for biases. */
export function asamPerturbation(weights: Parameters, gradient: Parameters, rho: number, eta: number): Parameters {
  const T = map(weights, (values, i) => values.map((value) => (i % 2 === 0 ? Math.abs(value) + eta : 1)));
  const length = norm(map(gradient, (values, i) => zip(values, T[i]!, (g, t) => t * g)));
  return map(gradient, (values, i) => zip(values, T[i]!, (g, t) => (rho * t ** 2 * g) / length));
}

/** What turns a gradient into the next weights. */
export type Base = (weights: Parameters, gradient: Parameters) => Parameters;

export function sgd(rate: number): Base {
  return (weights, gradient) => map(weights, (values, i) => zip(values, gradient[i]!, (w, g) => w - rate * g));
}

export function momentum(rate: number, decay: number): Base {
  let speed: Parameters | undefined;
  return (weights, gradient) => {
    const before = speed ?? map(gradient, (values) => values.map(() => 0));
    const now = map(gradient, (values, i) => zip(values, before[i]!, (g, v) => decay * v + g));
    speed = now;
    return map(weights, (values, i) => zip(values, now[i]!, (w, v) => w - rate * v));
  };
}

export function adam(rate: number, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7): Base {
  let m: Parameters | undefined;
  let v: Parameters | undefined;
  let step = 0;
  return (weights, gradient) => {
    step++;
    const zeros = map(gradient, (values) => values.map(() => 0));
    const [oldM, oldV] = [m ?? zeros, v ?? zeros];
    const newM = map(gradient, (values, i) => zip(values, oldM[i]!, (g, old) => beta1 * old + (1 - beta1) * g));
    const newV = map(gradient, (values, i) => zip(values, oldV[i]!, (g, old) => beta2 * old + (1 - beta2) * g ** 2));
    [m, v] = [newM, newV];
    const change = map(newM, (values, i) =>
      zip(values, newV[i]!, (mi, vi) => mi / (1 - beta1 ** step) / (Math.sqrt(vi / (1 - beta2 ** step)) + epsilon)),
    );
    return map(weights, (values, i) => zip(values, change[i]!, (w, d) => w - rate * d));
  };
}

/** Trains on the same batch; gives the weights after every step and the loss before it. */
export function train(
  weights: Parameters,
  xs: number[][],
  ys: number[][],
  steps: number,
  base: Base,
  perturbation: (weights: Parameters, gradient: Parameters) => Parameters,
) {
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const { loss, gradient } = lossAndGradient(weights, xs, ys);
    losses.push(loss);
    const eps = perturbation(weights, gradient);
    const moved = map(weights, (values, i) => zip(values, eps[i]!, (w, e) => w + e));
    weights = base(weights, lossAndGradient(moved, xs, ys).gradient);
  }
  return { weights, losses };
}
