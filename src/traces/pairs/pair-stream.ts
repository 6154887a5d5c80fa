import type * as tf from '@tensorflow/tfjs-core';
import { isStop, type Walk } from '../../network/walk.js';
import { isGpu } from '../../tfjs/backend.js';
import type { Between } from '../chunks.js';
import { numbersInTurns } from '../event-loop.js';
import { PriorityReservoir } from '../sampling/priority.js';
import { uniforms } from '../sampling/uniform.js';
import type { PairSource } from './growing-sample.js';
import { bytesOfRows, type Row, readRows, stackRows } from './input-rows.js';
import type { SizedBatch } from './sized-batch.js';

/** Pairs of a stream that are kept with their input rows, where the rows are small, and where they are large. */
const MOST_STREAMED_PAIRS = 8192;
const FEWEST_STREAMED_PAIRS = 256;
/** Rows are kept in the machine's memory: the budget of a card says nothing of that. */
const MOST_ROW_BYTES = 2 ** 30;

/** What samples that run together have in common, input by input: sequences come in batches of several lengths. */
type SampleKind = readonly { readonly shape: readonly number[]; readonly dtype: tf.DataType }[];

/** One sample of a stream that has a pair in the reservoir. */
interface StreamedSample {
  readonly place: number;
  /** Its place among all samples. */
  readonly index: number;
  readonly kind: SampleKind;
  /** Its row of each input, once it is known that a pair of it stays. */
  rows?: Row[];
}

interface StreamedPair {
  readonly sample: StreamedSample;
  readonly column: number;
}

export interface PairStreamOptions {
  readonly seed: number;
  /** Upper bound of what the input rows take. */
  readonly budgetBytes: number;
  /** Pairs that are kept. Default: 8192, or fewer where so many rows would not fit the budget. */
  readonly capacity: number | undefined;
  readonly population: (() => number) | undefined;
}

/** Batches of unknown number, of which the pairs that may be drawn are kept with their input rows, by priority sampling. */
export interface PairStream {
  /** Pairs kept; it is known once a batch has come. */
  readonly capacity: number;
  /** Samples seen. */
  readonly samples: number;
  /**
   * Takes a batch in.
   *
   * @param sizesOf the sizes of its pairs.
   * @param between called where a turn of the event loop is due. What it throws ends the pass.
   */
  add(inputs: readonly tf.Tensor[], sizesOf: () => Promise<SizedBatch>, between?: Between): Promise<void>;
  /** What was kept, once all batches have come. */
  source(): PairSource;
}

export function pairStream({ seed, budgetBytes, capacity, population }: PairStreamOptions): PairStream {
  let reservoir = new PriorityReservoir<StreamedPair>(capacity ?? 0);
  let samples = 0;
  let pairs = 0;
  const kinds = new Map<string, SampleKind>();

  function kindOf(inputs: readonly tf.Tensor[]): SampleKind {
    const kind = inputs.map(({ shape, dtype }) => ({ shape: shape.slice(1), dtype }));
    const key = JSON.stringify(kind);
    const known = kinds.get(key) ?? kind;
    kinds.set(key, known);
    return known;
  }

  return {
    get capacity() {
      return reservoir.capacity;
    },
    get samples() {
      return samples;
    },
    async add(inputs, sizesOf, between = async () => {}) {
      if (samples === 0 && capacity === undefined) {
        reservoir = new PriorityReservoir(capacityFor(inputs, budgetBytes));
      }
      const batch = await sizesOf();
      const kind = kindOf(inputs);
      const streamed: StreamedSample[] = Array.from({ length: batch.samples }, (_, place) => ({
        place,
        index: samples + place,
        kind,
      }));
      const uniform = uniforms(seed);
      const offering = function* (): Walk<void> {
        for (const [i, size] of batch.sizes.entries()) {
          reservoir.offer(size, uniform(pairs + i), () => ({
            sample: streamed[Math.floor(i / batch.columns)],
            column: i % batch.columns,
          }));
          if (isStop(i)) {
            yield;
          }
        }
      };
      await numbersInTurns(offering(), between);
      reservoir.compact();
      const kept = [...new Set(reservoir.items.map(({ sample }) => sample).filter(({ rows }) => !rows))];
      const rows = await readRows(
        inputs,
        kept.map(({ place }) => place),
      );
      kept.forEach((sample, i) => {
        sample.rows = rows[i];
      });
      samples += batch.samples;
      pairs += batch.sizes.length;
    },
    source() {
      const { items } = reservoir;
      const kindOfPair = (pair: number) => items[pair].sample.kind;
      const [first = []] = kinds.values();
      return {
        samples,
        population,
        shapes: first.map(({ shape }) => shape),
        alike: (indices) =>
          [...new Set(indices.map(kindOfPair))].map((kind) => ({
            shapes: kind.map(({ shape }) => shape),
            indices: indices.filter((index) => kindOfPair(index) === kind),
          })),
        largest: reservoir.capacity,
        allBeyond: false,
        // What is kept is little.
        // biome-ignore lint/correctness/useYield: it is a walk of one piece.
        *drawing(count) {
          return reservoir.draw(count);
        },
        sampleOf: (pair) => items[pair].sample.index,
        rows: (indices) => ({
          inputs: kindOfPair(indices[0]).map(({ shape, dtype }, i) =>
            stackRows(
              indices.map((index) => (items[index].sample.rows as Row[])[i]),
              shape,
              dtype,
            ),
          ),
          columns: indices.map((index) => items[index].column),
        }),
      };
    },
  };
}

/** Pairs to keep: each may need an input row of its own. */
export function capacityFor(inputs: readonly tf.Tensor[], budgetBytes: number, most = MOST_STREAMED_PAIRS): number {
  const bytes = Math.min(budgetBytes, isGpu() ? MOST_ROW_BYTES : Number.POSITIVE_INFINITY);
  return Math.max(FEWEST_STREAMED_PAIRS, Math.min(most, Math.floor(bytes / bytesOfRows(inputs))));
}
