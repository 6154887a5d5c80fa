import { minimizeOverScales } from '../symmetry/scale-minimum.js';
import type { ScaleSymmetry } from '../symmetry/scale-symmetry.js';
import { bitsOfProducts } from '../tfjs/product-precision.js';
import { SMALLEST_SAFE } from '../traces/float-range.js';
import {
  type DrawnPairs,
  type EstimatedEigenvalue,
  eigenvaluesOfPairs,
} from '../traces/spectrum/eigenvalues-of-pairs.js';
import type { PairGrams } from '../traces/spectrum/pair-grams.js';
import { type SpectrumPairs, spectrumPairs } from '../traces/spectrum/spectrum-pairs.js';
import { eigenvaluesLeftOut, OF_GAUSS_NEWTON, UNRELIABLE_EIGENVALUES } from './assumptions.js';
import type { Eigenvalue, TopEigenvalues } from './eigenvalue.js';
import { type Estimate, factorsOf, type Method } from './methods.js';
import { isSampled, type MeasureOptions } from './options.js';
import type { Assignment, Task } from './task.js';

/** Pairs that are drawn where the method does not say. */
const PAIRS = 512;
/** A weight tensor with less of the trace than this changes no eigenvalue that counts. */
const NEGLIGIBLE = 1e-4;
/** Relative step in a trace, for what it does to the optimal scales. */
const STEP = 1e-3;
/** How many minibatches as this one their set is taken to have: so many that it is as good as infinite. */
const MINIBATCHES = 2 ** 20;

/**
 * The same way of measuring, which finds the largest eigenvalues too where `eigenvalues` asks for them, from pairs of their own: they
 * are drawn with another seed, so that their errors are independent of those of the traces.
 *
 * @param isMinibatch whether the data stands for a larger set.
 */
export function withTopEigenvalues(
  method: Method,
  { options: { eigenvalues, method: how, seed = 0 }, stableBelow }: Assignment,
  isMinibatch: boolean,
): Method {
  if (eigenvalues === undefined) {
    return method;
  }
  return async (task) => {
    const { subject, data, budgetBytes, pause } = task;
    const draw = { budgetBytes, seed: -1 - seed, pairs: pairsOf(how), population: data.population };
    const between = () => pause(0);
    const pairs = spectrumPairs(subject.graph, subject.heads, draw);
    try {
      const estimate = await method(data.tensors ? task : collecting(task, pairs));
      const found = await orLeftOut(async () => {
        if ((await bitsOfProducts()) < Number.POSITIVE_INFINITY) {
          throw new RangeError('this backend rounds the factors of products.');
        }
        const { grams, drawn } = await pairs.grams(data.tensors, between);
        checkRange(grams, estimate);
        const of = isMinibatch ? { ...drawn, population: MINIBATCHES * drawn.samples } : drawn;
        const { topEigenvalues, assumptions } = topEigenvaluesOf(
          grams,
          of,
          estimate,
          subject.symmetry,
          eigenvalues,
          isMinibatch,
        );
        return {
          topEigenvalues: { ...topEigenvalues, ...(stableBelow !== undefined && { stableBelow }) },
          assumptions,
        };
      });
      return { ...estimate, ...found, assumptions: [...estimate.assumptions, ...found.assumptions] };
    } finally {
      pairs.dispose();
    }
  };
}

/** How many pairs to draw. */
function pairsOf(method: MeasureOptions['method']): number {
  return isSampled(method) && method.pairs !== undefined ? method.pairs : PAIRS;
}

/** The task, whose batches are shown to the draw too. */
function collecting(task: Task, pairs: SpectrumPairs): Task {
  const { data, pause } = task;
  return {
    ...task,
    data: {
      ...data,
      eachBatch: (run) =>
        data.eachBatch(async (batch) => {
          await pairs.add(batch, () => pause(0));
          await run(batch);
        }),
    },
  };
}

interface Found {
  readonly topEigenvalues?: TopEigenvalues;
  readonly assumptions: readonly string[];
}

/** What cannot be had is left out, and the reading says why: the rest of it stands. */
async function orLeftOut(find: () => Promise<Found>): Promise<Found> {
  try {
    return await find();
  } catch (error) {
    if (!(error instanceof RangeError)) {
      throw error;
    }
    return { assumptions: [eigenvaluesLeftOut(error.message.replace(/\.$/, ''))] };
  }
}

/** @throws RangeError with one line where float32 has lost the gradients of a weight tensor that counts. */
function checkRange({ pairs, products, parameters }: PairGrams, { traces, minimum }: Estimate): void {
  const factors = factorsOf(minimum);
  const trace = traces.reduce((sum, each) => sum + each, 0);
  products.forEach((ofBlock, b) => {
    let sum = 0;
    for (let i = 0; i < pairs; i++) {
      sum += ofBlock[i * pairs + i];
    }
    const counts = traces[b] > NEGLIGIBLE * trace || factors[b] * traces[b] > NEGLIGIBLE * minimum.value;
    if (counts && !(sum >= SMALLEST_SAFE * pairs && sum < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`gradients of '${parameters[b].name}' leave the range of float32.`);
    }
  });
}

/** Both spectra, from pairs that were drawn. */
function topEigenvaluesOf(
  grams: PairGrams,
  drawn: DrawnPairs,
  estimate: Estimate,
  symmetry: ScaleSymmetry,
  count: number,
  isMinibatch: boolean,
): Required<Found> {
  const errorOfScales = scaleErrors(estimate, symmetry);
  const weights = grams.parameters.reduce((sum, { variable }) => sum + variable.read().size, 0);
  const spectrum = (factors: readonly number[], errorOf: typeof errorOfScales): Eigenvalue[] =>
    eigenvaluesOfPairs(grams, drawn, factors, Math.min(count, weights)).map((each) => {
      const { value, error } = each;
      const ofScales = errorOf(each);
      return {
        value,
        standardError: Math.hypot(error.standardError, ofScales.standardError),
        reliable: error.reliable && ofScales.reliable && !isMinibatch,
      };
    });
  const given = spectrum(
    estimate.traces.map(() => 1),
    () => ({ standardError: 0, reliable: true }),
  );
  const balanced = spectrum(factorsOf(estimate.minimum), errorOfScales);
  const isReliable = [...given, ...balanced].every(({ reliable }) => reliable);
  return {
    topEigenvalues: { given, balanced, pairs: grams.pairs },
    assumptions: [OF_GAUSS_NEWTON, ...(isReliable ? [] : [UNRELIABLE_EIGENVALUES])],
  };
}

/**
 * What the error of the traces adds to that of an eigenvalue at the optimal scales, which they decide: sum_b c_b T_b has it, with
 *
 *     c_b = d lambda / d T_b = sum_a -2 (d e_a / d T_b) v^T f_a G_a v.
 */
function scaleErrors({ traces, minimum, errorOf }: Estimate, symmetry: ScaleSymmetry) {
  if (errorOf(factorsOf(minimum)).standardError === 0) {
    return () => ({ standardError: 0, reliable: true });
  }
  const { exponents } = minimum;
  const moved = traces.map((trace, b) => {
    const nearby = minimizeOverScales(
      symmetry,
      traces.map((each, a) => (a === b ? (1 + STEP) * each : each)),
    );
    return exponents.map((exponent, a) => {
      const change = trace > 0 ? (nearby.exponents[a] - exponent) / (STEP * trace) : 0;
      // What vanishes in an infimum stays where it is.
      return Number.isFinite(change) ? change : 0;
    });
  });
  return (eigenvalue: EstimatedEigenvalue) => {
    const ofBlocks = eigenvalue.ofBlocks();
    return errorOf(moved.map((changes) => changes.reduce((sum, change, a) => sum - 2 * change * ofBlocks[a], 0)));
  };
}
