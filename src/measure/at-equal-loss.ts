/** A reading of a run: what {@link atEqualLoss} goes by. Readings of `measureSharpness` and of the callback have all three. */
export interface LossAndSharpness {
  /** The training loss. */
  readonly loss?: number;
  readonly minimumSharpness: number;
  /** Of `minimumSharpness`. Default 0. */
  readonly standardError?: number;
}

/** Minimum Sharpness of a run where it had a given loss. */
export interface SharpnessAtLoss {
  readonly minimumSharpness: number;
  /** What the errors of the two readings make of it. What lies between them is not known, and not in it. */
  readonly standardError: number;
  /** The reading before the loss was reached and the first that reached it, by their places in the run. */
  readonly between: readonly [before: number, after: number];
}

/**
 * Minimum Sharpness of several runs at the same training loss, which is where runs can be compared: cross-entropy curves less the
 * surer a network is, so that once losses are low, MS at the same epoch mostly shows which run has the lower loss.
 *
 * Between the readings i and j on both sides of the loss L, where a run first falls to it, log MS is interpolated in log loss:
 *
 *     t = (log L_i - log L) / (log L_i - log L_j),    log MS = (1 - t) log MS_i + t log MS_j,
 *     SE = MS sqrt(((1 - t) SE_i / MS_i)^2 + (t SE_j / MS_j)^2).
 *
 * ```ts
 * const [slow, fast] = atEqualLoss([readingsOfSlow, readingsOfFast], 0.1);
 * ```
 *
 * @param runs the readings of each run in the order of training. Those without a loss, or with a loss or MS that is not a finite number
 *   above 0, have no logarithm and are passed over.
 * @param loss above 0, in the units of the readings.
 * @returns one entry a run, in their order: undefined where a run does not fall to this loss, or is below it from its first reading on.
 * @throws RangeError with one line when `loss` is not a finite number above 0.
 */
export function atEqualLoss(
  runs: readonly (readonly LossAndSharpness[])[],
  loss: number,
): (SharpnessAtLoss | undefined)[] {
  if (!(Number.isFinite(loss) && loss > 0)) {
    throw new RangeError(`atEqualLoss: the loss must be a finite number above 0, but it is ${loss}.`);
  }
  return runs.map((run) => atLoss(run, loss));
}

const hasLogarithm = (value: number | undefined) => value !== undefined && Number.isFinite(value) && value > 0;

function atLoss(run: readonly LossAndSharpness[], loss: number): SharpnessAtLoss | undefined {
  const places = [...run.keys()].filter((i) => hasLogarithm(run[i]!.loss) && hasLogarithm(run[i]!.minimumSharpness));
  const reached = places.findIndex((i) => run[i]!.loss! <= loss);
  if (reached < 0) {
    return undefined;
  }
  const after = places[reached]!;
  // A first reading at just this loss stands for itself.
  const before = run[after]!.loss === loss ? after : places[reached - 1];
  if (before === undefined) {
    return undefined;
  }
  const [from, to] = [run[before]!, run[after]!];
  const share = before === after ? 0 : Math.log(from.loss! / loss) / Math.log(from.loss! / to.loss!);
  const minimumSharpness = from.minimumSharpness ** (1 - share) * to.minimumSharpness ** share;
  const relative = ({ minimumSharpness: value, standardError = 0 }: LossAndSharpness) => standardError / value;
  return {
    minimumSharpness,
    standardError: minimumSharpness * Math.hypot((1 - share) * relative(from), share * relative(to)),
    between: [before, after],
  };
}
