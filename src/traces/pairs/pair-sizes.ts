import * as tf from '@tensorflow/tfjs-core';
import type { Graph } from '../../network/graph.js';
import { columnsOf, type Head, squaredNormsOf } from '../../network/heads.js';
import type { Operation } from '../../network/layers/operation.js';
import { squaredNormOfSamples } from '../../network/layers/sensitivity.js';
import { maximaFirst } from '../../network/maxima-first.js';
import { type SensitivityPass, sensitivityPass } from '../../network/sensitivity.js';
import { planSteps, record, withoutBackward } from '../../network/tape.js';
import { isGpu, isNative } from '../../tfjs/backend.js';
import { gaugedTidy, loadOf, memoryGauge } from '../../tfjs/memory-gauge.js';
import {
  type ChunkedPass,
  chunksOf,
  fitting,
  type StartedChunk,
  samplesOf,
  shapesOfSample,
  trialOfSamples,
} from '../chunks.js';
import { closedFormOperations } from './closed-form.js';

/** What a forward pass says of the curvature of consecutive samples. */
export interface PairSizes {
  readonly samples: number;
  /**
   * x of every pair, sample by sample, [samples * R]: what `SensitivityPass.sizes` makes of its column and of the sensitivity of the
   * outputs to the weights that are sampled. R counts the columns of all heads.
   */
  readonly sizes: Float32Array;
  /** sum_r ||c_{n,r}||^2 over the columns of each head: one array of [samples] a head. */
  readonly totals: readonly Float32Array[];
  /** ||a_n||^2 of the input of each head's closed form; zeros where it has none. */
  readonly inputNorms: readonly Float32Array[];
}

/** The forward pass that says where the curvature lies. */
export interface PairSizing {
  /** For each head, the operation whose blocks the forward pass gives; null where there is none. */
  readonly closed: readonly (Operation | null)[];
  /** @param inputs one tensor for each input of the graph, [N, ...]; they stay the caller's. */
  sizes(inputs: readonly tf.Tensor[]): AsyncGenerator<PairSizes, void, void>;
  /** Drops what it keeps from chunk to chunk. */
  dispose(): void;
}

/** A chunk of samples. */
interface SizedChunk extends StartedChunk {
  /** The sizes of its pairs, then the totals of each head, then the norms of each head's inputs: [samples, R + 2 heads]. */
  readonly found: tf.Tensor2D;
  /** How many samples fit at once. */
  readonly fit: number;
}

/** The event loop gets its turn between two batches. On a GPU, which works on behind, these limits do not hold. */
const LARGEST_CHUNK = 1024;
/** tfjs-node is quick, has no page to keep alive, and multiplies large batches faster. */
const LARGEST_NATIVE_CHUNK = 4096;
/** Batches whose tensors take more than this run slower, on two processor cores: they leave the caches. */
const LARGEST_BYTES = 2 ** 27;

/** Sets up the forward pass, in chunks of samples that stay under a memory budget. */
export function pairSizing(graph: Graph, heads: readonly Head[], budgetBytes: number): PairSizing {
  const ordered = maximaFirst(graph, { join: false });
  const plan = planSteps(ordered);
  const forwardPlan = withoutBackward(plan);
  const closed = closedFormOperations(graph, heads);
  const known = new Set(closed.flatMap((operation) => operation?.parameters ?? []));
  const newPass = () => sensitivityPass(ordered, plan, heads, known);
  let pass = newPass();

  function sizeChunk(pass: SensitivityPass, inputs: readonly tf.Tensor[], begin: number, samples: number): SizedChunk {
    const gauge = memoryGauge(budgetBytes);
    const slices = samplesOf(inputs, begin, samples);
    try {
      const tape = record(ordered, forwardPlan, slices, gauge, pass);
      try {
        const found = gaugedTidy(gauge, () => {
          const curvature = squaredNormsOf(heads, tape.outputs);
          const columns = heads.map((head) => columnsOf(head, tape.outputs));
          const ofHeads = heads.length === 1 ? [curvature] : tf.split(curvature, columns, 1);
          const totals = ofHeads.map((each) => tf.sum(each, 1, true));
          const norms = closed.map((operation) => {
            const call = plan.findIndex(({ step }) => step.operation === operation);
            return call < 0 ? tf.zeros([samples, 1]) : squaredNormOfSamples(tape.sensed[call].inputs[0], 2);
          });
          return tf.concat([pass.sizes(tape, curvature), ...totals, ...norms], 1) as tf.Tensor2D;
        });
        try {
          const inMemory = fitting(budgetBytes, samples, loadOf(gauge, budgetBytes), samples === 1);
          const fit = isGpu()
            ? inMemory
            : Math.min(
                isNative() ? LARGEST_NATIVE_CHUNK : LARGEST_CHUNK,
                inMemory,
                fitting(LARGEST_BYTES, samples, gauge.peak, false),
              );
          return { found, fit };
        } catch (error) {
          found.dispose();
          throw error;
        }
      } finally {
        tape.dispose();
      }
    } finally {
      tf.dispose(slices);
    }
  }

  function read({ found }: SizedChunk, values: Float32Array): PairSizes {
    const [samples, width] = found.shape;
    const columns = width - 2 * heads.length;
    const sizes = new Float32Array(samples * columns);
    const totals = heads.map(() => new Float32Array(samples));
    const inputNorms = heads.map(() => new Float32Array(samples));
    for (let n = 0, from = 0; n < samples; n++) {
      sizes.set(values.subarray(from, from + columns), n * columns);
      from += columns;
      for (const ofHeads of [totals, inputNorms]) {
        for (const ofHead of ofHeads) {
          ofHead[n] = values[from++];
        }
      }
    }
    return { samples, sizes, totals, inputNorms };
  }

  return {
    closed,
    sizes(inputs) {
      const [length] = inputs[0].shape;
      const shapes = shapesOfSample(inputs);
      const start = (begin: number, count: number) => sizeChunk(pass, inputs, begin, count);
      const trial = () => {
        // What a trial has seen would count twice.
        const tried = newPass();
        try {
          return trialOfSamples(length, (begin, count) => sizeChunk(tried, inputs, begin, count));
        } finally {
          tried.dispose();
        }
      };
      const chunked: ChunkedPass<SizedChunk, PairSizes> = {
        name: 'weights',
        plan,
        heads,
        budgetBytes,
        length,
        shapes,
        trial,
        start,
        read,
        forget() {
          // Means that hold zeros of a failed device would hold them for ever.
          pass.dispose();
          pass = newPass();
        },
      };
      return chunksOf(chunked);
    },
    dispose: () => pass.dispose(),
  };
}
