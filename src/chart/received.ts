import type { Problem } from '../training/problems.js';
import { lineOf } from '../warnings.js';
import type { ChartReading } from './reading-words.js';

/** A problem as a chart takes it. */
export type ChartProblem = Pick<Problem, 'kind' | 'message'> & Partial<Pick<Problem, 'epoch'>>;

/**
 * A number, also as JSON brings it: what is not finite is null there, or text where `jsonLinesWriter` wrote it. Undefined for all else.
 */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') {
    return value;
  }
  if (value === null) {
    return Number.NaN;
  }
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : undefined;
}

const finiteOf = (value: unknown) => (Number.isFinite(value) ? (value as number) : undefined);
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
const listOf = (value: unknown) => (Array.isArray(value) ? value.filter(isObject) : []);
/** As many as came: files name their columns by place. */
const eigenvaluesOf = (value: unknown) =>
  (Array.isArray(value) ? value : []).map((each) => ({ value: numberOf(each?.value) ?? Number.NaN }));

/** One text in place of all that are equal to it: each message of a worker brings names and sentences of its own. */
function shared(text: unknown, texts: Map<string, string>): string {
  const own = String(text);
  const found = texts.get(own) ?? own;
  texts.set(found, found);
  return found;
}

/**
 * What came as a reading, with its numbers as numbers and its lists as lists. What else it holds stays, for files; of its lists, what a
 * chart or a file has of them.
 *
 * @param texts of readings before.
 * @throws Error with one line where it has no Minimum Sharpness.
 */
export function receivedReading(given: ChartReading, texts: Map<string, string> = new Map()): ChartReading {
  const minimumSharpness = numberOf(given?.minimumSharpness);
  if (minimumSharpness === undefined) {
    throw new Error('sharpnessChart: what came is no reading, for it has no number minimumSharpness.');
  }
  const { step, epoch, standardError, reliable, trace, collapsed, parameters, scales, assumptions, ...rest } = given;
  const topEigenvalues: unknown = rest.topEigenvalues;
  const known = {
    step: finiteOf(step),
    epoch: finiteOf(epoch),
    minimumSharpness,
    standardError: numberOf(standardError),
    reliable: typeof reliable === 'boolean' ? reliable : undefined,
    trace: numberOf(trace),
    collapsed: typeof collapsed === 'boolean' ? collapsed : undefined,
    parameters: listOf(parameters).map((each) => ({
      name: shared(each.name, texts),
      layer: shared(each.layer, texts),
      trace: numberOf(each.trace) ?? Number.NaN,
    })),
    scales: listOf(scales).map((each) => ({
      layer: shared(each.layer, texts),
      alpha: numberOf(each.alpha) ?? Number.NaN,
    })),
    topEigenvalues: isObject(topEigenvalues)
      ? {
          ...topEigenvalues,
          given: eigenvaluesOf(topEigenvalues.given),
          ...(topEigenvalues.balanced !== undefined && { balanced: eigenvaluesOf(topEigenvalues.balanced) }),
        }
      : undefined,
    assumptions: Array.isArray(assumptions) ? assumptions.map((each) => shared(each, texts)) : undefined,
  };
  // In the order in which they came, which is that of the columns of files.
  const values: Readonly<Record<string, unknown>> = { ...rest, ...known };
  const textOf = (value: unknown) => (typeof value === 'string' ? shared(value, texts) : value);
  const all = Object.keys(given).map((key) => [key, textOf(values[key])] as const);
  return Object.fromEntries(all.filter(([, value]) => value !== undefined)) as unknown as ChartReading;
}

/** What came as a problem, in one line. */
export function receivedProblem(given: unknown): ChartProblem & { readonly step?: number } {
  const { kind, step, epoch, message } = (given ?? {}) as Readonly<Record<string, unknown>>;
  const [at, during] = [finiteOf(step), finiteOf(epoch)];
  return {
    kind: kind === 'skipped' ? kind : 'failed',
    message: lineOf(message ?? given),
    ...(at !== undefined && { step: at }),
    ...(during !== undefined && { epoch: during }),
  };
}
