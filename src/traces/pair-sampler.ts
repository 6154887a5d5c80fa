import * as tf from '@tensorflow/tfjs-core';
import type { Graph } from '../network/graph.js';
import type { Head } from '../network/heads.js';
import type { Operation, Parameter } from '../network/layers/operation.js';
import { type Pause, shapesOfSample } from './chunks.js';
import { type PairRows, pairKernel } from './pair-kernel.js';
import { InputActivity, type PairWeights, pairWeighing } from './pair-weights.js';
import { type PairSample, SampledTraces } from './sampled-traces.js';
import type { Draw } from './sampling/draw.js';
import { paretoSample } from './sampling/pareto.js';
import { PriorityReservoir } from './sampling/priority.js';
import { uniforms } from './sampling/uniform.js';

/** Pairs of a stream that are kept with their input rows, where the rows are small, and where they are large. */
const MOST_STREAMED_PAIRS = 8192;
const FEWEST_STREAMED_PAIRS = 256;

/** Samples grow by this factor: with more, they end far beyond what it takes; with less, in many small chunks. */
const GROWTH = 1.5;

/** How many pairs to draw. */
export interface SampleSize {
  /** Pairs drawn at first. */
  readonly pairs: number;
  /** Whether more may be drawn. */
  readonly grows: boolean;
  /** Whether this sample will do; if not, one of half as many pairs again takes its place. */
  readonly enough: (sample: SampledTraces) => boolean;
}

/** Measures traces from a few pairs of sample and column, drawn by their curvature. */
export interface PairSampler {
  readonly parameters: readonly Parameter[];
  /**
   * Draws by Pareto sampling from tensors.
   *
   * @param inputs one tensor for each input of the graph, [N, ...]; they stay the caller's.
   * @returns null where so many pairs are wanted that measuring all of them is cheaper.
   */
  ofTensors(inputs: readonly tf.Tensor[], size: SampleSize, pause: Pause): Promise<PairSample | null>;
  /**
   * Draws by priority sampling from batches of unknown number, in one pass. The reservoir holds `capacity` pairs with their
   * input rows: no sample is larger. Default: 8192, or fewer where the rows are so large that the memory budget holds fewer.
   */
  ofStream(capacity?: number): PairStream;
}

/** Measures batches as they come. */
export interface PairStream {
  /** The largest sample; it is known once a batch has come. */
  readonly capacity: number;
  /** @param inputs the next batch; it stays the caller's. */
  add(inputs: readonly tf.Tensor[], pause: Pause): Promise<void>;
  /** Runs the kernel on what was drawn. */
  finish(size: SampleSize, pause: Pause): Promise<PairSample>;
}

/** Pairs that can be drawn. */
interface PairSource {
  /** Samples behind them. */
  readonly samples: number;
  /** Shape of one sample of each input. */
  readonly shapes: readonly (readonly number[])[];
  /** Largest sample. */
  readonly largest: number;
  /** Whether to give up rather than stay with the largest sample, since measuring everything is cheaper then. */
  readonly allBeyond: boolean;
  draw(count: number): Draw;
  /** Sample of a pair. */
  sampleOf(pair: number): number;
  rows(indices: readonly number[]): PairRows;
}

type Numbers = Float32Array | Int32Array | Uint8Array;

/** One sample of a stream that has a pair in the reservoir. */
interface StreamedSample {
  readonly place: number;
  /** Its place among all samples. */
  readonly index: number;
  /** Its row of each input, once it is known that a pair of it stays. */
  rows?: Numbers[];
}

interface Weighed extends PairWeights {
  /** R. */
  readonly columns: number;
  /** sum_r w_{n,r} over the columns of each head: one array of [samples] a head. */
  readonly totals: readonly Float64Array[];
}

/** What the forward pass gives of the blocks that need no sampling. */
interface ClosedFormTraces {
  /** Over the samples; null for the other blocks. */
  readonly sums: readonly (number | null)[];
  /** One by one, of a random part of the data. */
  readonly ofSamples: readonly (readonly number[])[];
}

interface StreamedPair {
  readonly sample: StreamedSample;
  readonly column: number;
}

/**
 * Sets up the sampled method. A forward pass gives every
 * pair (n, r) its size, the weight w = ||c_{n,r}||^2 times how active the sample's layers are; pairs are drawn with
 * probabilities pi in proportion to it; the trace kernel runs on these, each weighted by 1 / pi.
 *
 * Where the last step before z is a dense layer, its own blocks need no sampling: ||a_n||^2 sum_r w_{n,r} for the kernel and
 * sum_r w_{n,r} for the bias.
 *
 * @param population where the samples are a random part of the data: how many the data has, once it has been read.
 */
export function pairSampler(
  graph: Graph,
  heads: readonly Head[],
  budgetBytes: number,
  seed: number,
  population?: () => number,
): PairSampler {
  const weighing = pairWeighing(graph, heads, budgetBytes);
  const kernel = pairKernel(graph, heads, budgetBytes);
  const { parameters } = kernel;
  const closedCalls = heads.map((head) => closedFormCall(graph, head, weighing.calls));
  const isClosed = parameters.map((parameter) =>
    closedCalls.some((call) => call >= 0 && weighing.calls[call].parameters.includes(parameter)),
  );
  const sampledCalls = weighing.calls.flatMap((_, call) => (closedCalls.includes(call) ? [] : [call]));

  /** What the forward pass gives in closed form: sums over samples and, of a random part of them, one by one. */
  function closedFormTraces(): ClosedFormTraces & { add(weighed: Weighed): void } {
    const sums = parameters.map((_, b): number | null => (isClosed[b] ? 0 : null));
    const ofSamples = parameters.map((): number[] => []);
    return {
      sums,
      ofSamples,
      add({ inputNorms, totals }) {
        totals.forEach((deltaNorms, head) => {
          const call = closedCalls[head];
          if (call < 0) {
            return;
          }
          const operation = weighing.calls[call];
          const places = operation.parameters.map((parameter) => parameters.indexOf(parameter));
          for (let n = 0; n < deltaNorms.length; n++) {
            const norms = operation.squaredNormsOfVector?.(inputNorms[call][n], deltaNorms[n]) as number[];
            places.forEach((b, i) => {
              if (b >= 0) {
                sums[b] = (sums[b] as number) + norms[i];
                if (population) {
                  ofSamples[b].push(norms[i]);
                }
              }
            });
          }
        });
      },
    };
  }

  /** Runs the kernel on samples of growing size, until one will do. Each pair is run once. */
  async function measure(
    source: PairSource,
    closedForm: ClosedFormTraces,
    { pairs, enough }: SampleSize,
    pause: Pause,
  ): Promise<PairSample | null> {
    if (isClosed.every((closed) => closed)) {
      return pairSampleOf(source, closedForm, { indices: [], inclusion: [] }, new Map());
    }
    const known = new Map<number, number[]>();
    for (let wanted = pairs; ; wanted = Math.ceil(GROWTH * wanted)) {
      if (wanted > source.largest && source.allBeyond) {
        return null;
      }
      const draw = source.draw(Math.min(wanted, source.largest));
      const missing = draw.indices.filter((i) => !known.has(i));
      const rows = (begin: number, count: number) => source.rows(missing.slice(begin, begin + count));
      let done = 0;
      for await (const chunk of kernel.traces(missing.length, source.shapes, rows)) {
        for (let i = 0; i < chunk[0].length; i++, done++) {
          known.set(
            missing[done],
            chunk.map((norms) => norms[i]),
          );
        }
        await pause(source.samples);
      }
      const sample = pairSampleOf(source, closedForm, draw, known);
      if (enough(new SampledTraces([sample])) || (wanted >= source.largest && !source.allBeyond)) {
        return sample;
      }
    }
  }

  /** A draw with what the kernel found. */
  function pairSampleOf(
    source: PairSource,
    closedForm: ClosedFormTraces,
    { indices, inclusion }: Draw,
    known: ReadonlyMap<number, readonly number[]>,
  ): PairSample {
    return {
      samples: source.samples,
      pairs: known.size,
      closedForm: closedForm.sums,
      inclusion,
      traces: parameters.map((_, b) => (isClosed[b] ? [] : indices.map((i) => (known.get(i) as readonly number[])[b]))),
      ...(population && {
        part: {
          population: population(),
          closedForm: closedForm.ofSamples,
          sampleOf: indices.map((pair) => source.sampleOf(pair)),
        },
      }),
    };
  }

  /** The forward pass over one batch: w of each pair, ||a||^2 of each call, and sum_r w of each sample and head. */
  async function weigh(inputs: readonly tf.Tensor[], pause: (samples: number) => Promise<void>): Promise<Weighed> {
    const samples = inputs[0].shape[0];
    const inputNorms = weighing.calls.map(() => new Float32Array(samples));
    const totals = heads.map(() => new Float64Array(samples));
    let columnsOfHeads: readonly number[] = [];
    let weights = new Float32Array(0);
    let columns = 0;
    let done = 0;
    for await (const chunk of weighing.weights(inputs)) {
      if (done === 0) {
        columnsOfHeads = chunk.columnsOfHeads;
        columns = columnsOfHeads.reduce((sum, each) => sum + each, 0);
        weights = new Float32Array(samples * columns);
      }
      chunk.inputNorms.forEach((norms, call) => {
        inputNorms[call].set(norms, done);
      });
      weights.set(chunk.weights, done * columns);
      for (let n = done, i = done * columns; n < done + chunk.samples; n++) {
        for (let head = 0; head < totals.length; head++) {
          for (const end = i + columnsOfHeads[head]; i < end; i++) {
            totals[head][n] += weights[i];
          }
        }
      }
      done += chunk.samples;
      await pause(done);
    }
    for (const ofHead of totals) {
      const broken = ofHead.findIndex((total) => !Number.isFinite(total));
      if (broken >= 0) {
        throw new RangeError(
          `The output of sample ${broken} is not finite: look for weights or inputs that are huge or not numbers.`,
        );
      }
    }
    return { samples, columns, columnsOfHeads, weights, inputNorms, totals };
  }

  /** sum_r w of each sample over all heads. */
  function totalOfSamples({ samples, totals }: Weighed): Float64Array {
    const sums = new Float64Array(samples);
    for (const ofHead of totals) {
      for (let n = 0; n < samples; n++) {
        sums[n] += ofHead[n];
      }
    }
    return sums;
  }

  /** Turns the weights of pairs into their sizes, in place. */
  function weightsToSizes({ samples, columns, weights, inputNorms }: Weighed, activity: InputActivity): Float32Array {
    for (let n = 0; n < samples; n++) {
      const factor = activity.of(inputNorms, n);
      for (let i = n * columns; i < (n + 1) * columns; i++) {
        weights[i] *= factor;
      }
    }
    return weights;
  }

  return {
    parameters,

    async ofTensors(inputs, size, pause) {
      const closedForm = closedFormTraces();
      const weighed = await weigh(inputs, pause);
      closedForm.add(weighed);
      const { samples, columns } = weighed;
      const activity = new InputActivity(sampledCalls);
      activity.add(weighed.inputNorms, totalOfSamples(weighed));
      const sizes = weightsToSizes(weighed, activity);
      const placeOf = (pair: number) => Math.floor(pair / columns);
      const source: PairSource = {
        samples,
        shapes: shapesOfSample(inputs),
        largest: size.grows ? Math.floor(sizes.length / 2) : sizes.length - 1,
        allBeyond: true,
        draw: (count) => paretoSample(sizes, count, uniforms(seed)),
        sampleOf: placeOf,
        rows: (pairs) => {
          const indices = tf.tensor1d(pairs.map(placeOf), 'int32');
          const rows = inputs.map((x) => tf.gather(x, indices));
          indices.dispose();
          return { inputs: rows, columns: pairs.map((pair) => pair % columns) };
        },
      };
      return measure(source, closedForm, size, pause);
    },

    ofStream(given) {
      const closedForm = closedFormTraces();
      const activity = new InputActivity(sampledCalls);
      let reservoir = new PriorityReservoir<StreamedPair>(given ?? 0);
      let samples = 0;
      let pairs = 0;
      let shapes: { shape: number[]; dtype: tf.DataType }[] | undefined;
      /** Pairs of several batches run together, so their samples have to be alike. */
      const checkShapes = (inputs: readonly tf.Tensor[]) => {
        const now = inputs.map(({ shape, dtype }) => ({ shape: shape.slice(1), dtype }));
        shapes ??= now;
        if (JSON.stringify(now) !== JSON.stringify(shapes)) {
          throw new Error(
            `The dataset's batches differ in shape (a sample has [${shapes.map(({ shape }) => shape)}], then ` +
              `[${now.map(({ shape }) => shape)}]), and pairs are drawn among samples of one shape: pad them, or pass method: 'exact'.`,
          );
        }
      };
      return {
        get capacity() {
          return reservoir.capacity;
        },
        async add(inputs, pause) {
          checkShapes(inputs);
          if (samples === 0 && given === undefined) {
            reservoir = new PriorityReservoir(capacityFor(inputs, budgetBytes));
          }
          const weighed = await weigh(inputs, (done) => pause(samples + done));
          closedForm.add(weighed);
          activity.add(weighed.inputNorms, totalOfSamples(weighed));
          const sizes = weightsToSizes(weighed, activity);
          const streamed: StreamedSample[] = Array.from({ length: weighed.samples }, (_, place) => ({
            place,
            index: samples + place,
          }));
          const uniform = uniforms(seed);
          sizes.forEach((size, i) => {
            reservoir.offer(size, uniform(pairs + i), () => ({
              sample: streamed[Math.floor(i / weighed.columns)],
              column: i % weighed.columns,
            }));
          });
          reservoir.compact();
          await readRows(new Set(reservoir.items.map(({ sample }) => sample).filter(({ rows }) => !rows)), inputs);
          samples += weighed.samples;
          pairs += sizes.length;
        },
        async finish(size, pause) {
          const { items } = reservoir;
          const source: PairSource = {
            samples,
            shapes: (shapes ?? []).map(({ shape }) => shape),
            largest: reservoir.capacity,
            allBeyond: false,
            draw: (count) => reservoir.draw(count),
            sampleOf: (pair) => items[pair].sample.index,
            rows: (indices) => ({
              inputs: (shapes ?? []).map(({ shape, dtype }, i) =>
                stackRows(
                  indices.map((index) => (items[index].sample.rows as Numbers[])[i]),
                  shape,
                  dtype,
                ),
              ),
              columns: indices.map((index) => items[index].column),
            }),
          };
          // A source that never gives up always has a sample.
          return (await measure(source, closedForm, size, pause)) as PairSample;
        },
      };
    },
  };
}

/**
 * The call whose blocks the forward pass gives: a dense layer with trained weights, called once, right before the z of a
 * head without positions, which nothing else reads. Or -1.
 */
function closedFormCall(graph: Graph, { output, hasPositions }: Head, calls: readonly Operation[]): number {
  const z = graph.outputs[output];
  const last = graph.steps.find((step) => step.output === z);
  const operation = last?.operation;
  const found = calls.flatMap((each, call) => (each === operation ? [call] : []));
  const readElsewhere =
    graph.steps.some(({ inputs }) => inputs.includes(z)) || graph.outputs.filter((id) => id === z).length > 1;
  return operation?.squaredNormsOfVector && found.length === 1 && !readElsewhere && !hasPositions ? found[0] : -1;
}

/** Pairs to keep: each may need an input row of its own. */
function capacityFor(inputs: readonly tf.Tensor[], budgetBytes: number): number {
  const rowBytes = inputs.reduce((sum, { size, shape: [samples] }) => sum + (4 * size) / samples, 0);
  return Math.max(FEWEST_STREAMED_PAIRS, Math.min(MOST_STREAMED_PAIRS, Math.floor(budgetBytes / rowBytes)));
}

/** Reads the input rows of some samples of a batch. */
async function readRows(samples: ReadonlySet<StreamedSample>, inputs: readonly tf.Tensor[]): Promise<void> {
  if (samples.size === 0) {
    return;
  }
  const list = [...samples];
  const places = tf.tensor1d(
    list.map(({ place }) => place),
    'int32',
  );
  const gathered = inputs.map((x) => tf.gather(x, places));
  places.dispose();
  try {
    const values = (await Promise.all(gathered.map((x) => x.data()))) as Numbers[];
    list.forEach((sample, i) => {
      sample.rows = values.map((all) =>
        all.slice((i * all.length) / list.length, ((i + 1) * all.length) / list.length),
      );
    });
  } finally {
    tf.dispose(gathered);
  }
}

/** Rows -> [rows, ...shape]. */
function stackRows(rows: readonly Numbers[], shape: readonly number[], dtype: tf.DataType): tf.Tensor {
  const width = rows[0].length;
  const values = dtype === 'int32' ? new Int32Array(rows.length * width) : new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    values.set(row, i * width);
  });
  return tf.tensor(values, [rows.length, ...shape], dtype);
}
