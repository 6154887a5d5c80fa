import type { Walk } from '../../network/walk.js';
import type { Pause } from '../chunks.js';
import { numbersInTurns } from '../event-loop.js';
import type { Draw } from '../sampling/draw.js';
import type { ClosedFormTraces } from './closed-form.js';
import type { PairKernel, PairRows } from './pair-kernel.js';
import { type PairSample, SampledTraces } from './sampled-traces.js';

/** Samples grow by this factor: with more, they end far beyond what it takes; with less, in many small chunks. */
export const GROWTH = 1.5;

/** How many pairs to draw. */
export interface SampleSize {
  /** Pairs drawn at first. */
  readonly pairs: number;
  /** Whether more may be drawn. */
  readonly grows: boolean;
  /** Whether this sample will do; if not, one of half as many pairs again takes its place. */
  readonly enough: (sample: SampledTraces) => boolean;
}

/** Pairs that can run together. */
export interface AlikePairs {
  readonly shapes: PairSource['shapes'];
  readonly indices: readonly number[];
}

/** Pairs that can be drawn. */
export interface PairSource {
  /** Samples behind them. */
  readonly samples: number;
  /** Where these are a random part of the data: how many the data has, once it has been read. */
  readonly population: (() => number) | undefined;
  /** Shape of one sample of each input. */
  readonly shapes: readonly (readonly number[])[];
  /** Pairs whose samples have one shape, where not all have that. */
  alike?(indices: readonly number[]): readonly AlikePairs[];
  /** Largest sample. */
  readonly largest: number;
  /** Whether to give up rather than stay with the largest sample, since measuring everything is cheaper then. */
  readonly allBeyond: boolean;
  drawing(count: number): Walk<Draw>;
  /** Whether a pair has the same number, and so the same random number, whatever the network. */
  readonly hasPlaces?: boolean;
  /** Sample of a pair. */
  sampleOf(pair: number): number;
  rows(indices: readonly number[]): PairRows;
}

/**
 * Runs the kernel on samples of growing size, until one will do. Each pair is run once.
 *
 * @returns null where the source gives up.
 */
export async function growingSample(
  kernel: PairKernel,
  source: PairSource,
  closedForm: ClosedFormTraces,
  { pairs, enough }: SampleSize,
  pause: Pause,
): Promise<PairSample | null> {
  if (closedForm.sums.every((sum) => sum !== null)) {
    return pairSampleOf(source, closedForm, { indices: [], inclusion: [] }, new Map());
  }
  const known = new Map<number, number[]>();
  for (let wanted = pairs; ; wanted = Math.ceil(GROWTH * wanted)) {
    if (wanted > source.largest && source.allBeyond) {
      return null;
    }
    const draw = await numbersInTurns(source.drawing(Math.min(wanted, source.largest)), () =>
      pause(source.samples, { rows: known.size, totalRows: undefined }),
    );
    const missing = draw.indices.filter((i) => !known.has(i));
    const total = known.size + missing.length;
    for (const { shapes, indices } of source.alike?.(missing) ?? [{ shapes: source.shapes, indices: missing }]) {
      const rows = (begin: number, count: number) => source.rows(indices.slice(begin, begin + count));
      let done = 0;
      const ran = () => pause(source.samples, { rows: known.size, totalRows: total });
      for await (const chunk of kernel.traces(indices.length, shapes, rows, ran)) {
        for (let i = 0; i < chunk[0].length; i++, done++) {
          known.set(
            indices[done],
            chunk.map((norms) => norms[i]),
          );
        }
        await ran();
      }
    }
    const sample = pairSampleOf(source, closedForm, draw, known);
    if (enough(new SampledTraces([sample])) || (wanted >= source.largest && !source.allBeyond)) {
      return sample;
    }
  }
}

/** A draw with what the kernel found. */
function pairSampleOf(
  { samples, population, hasPlaces, sampleOf }: PairSource,
  closedForm: ClosedFormTraces,
  { indices, inclusion }: Draw,
  known: ReadonlyMap<number, readonly number[]>,
): PairSample {
  return {
    samples,
    pairs: known.size,
    closedForm: closedForm.sums,
    ...(closedForm.loss && { loss: closedForm.loss }),
    inclusion,
    ...(hasPlaces && { places: indices }),
    traces: closedForm.sums.map((sum, b) =>
      sum === null ? indices.map((i) => (known.get(i) as readonly number[])[b]) : [],
    ),
    ...(population && {
      part: {
        population: population(),
        closedForm: closedForm.ofSamples,
        sampleOf: indices.map((pair) => sampleOf(pair)),
      },
    }),
  };
}
