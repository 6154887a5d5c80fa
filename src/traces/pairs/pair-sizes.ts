import * as tf from '@tensorflow/tfjs-core';
import type { Graph } from '../../network/graph.js';
import {
  curvatureOfSamples,
  type HeadColumns,
  headColumns,
  type SampleNumbers,
  sideBySide,
} from '../../network/head-columns.js';
import { curvedHeads, type Head, lossesOfSamples, zeroWhereFinite } from '../../network/heads.js';
import type { Operation } from '../../network/layers/operation.js';
import { maximaFirst } from '../../network/maxima-first.js';
import { type SensitivityPass, sensitivityPass } from '../../network/sensitivity.js';
import { planSteps, recording, withoutBackward } from '../../network/tape.js';
import { isGpu, isNative } from '../../tfjs/backend.js';
import { gaugedTidy, loadOf, memoryGauge } from '../../tfjs/memory-gauge.js';
import {
  type Between,
  type ChunkedPass,
  chunksOf,
  fitting,
  onSamplesForTrial,
  type StartedChunk,
  samplesOf,
  shapesOfSample,
  trialOfSamples,
} from '../chunks.js';
import { inTurns } from '../event-loop.js';
import type { SampleLosses } from '../exact.js';
import { closedFormOperations } from './closed-form.js';
import { sizeMixture } from './size-mixture.js';

/** What a forward pass says of the curvature of consecutive samples. */
export interface PairSizes {
  readonly samples: number;
  /**
   * x of every pair, sample by sample, [samples * R]: what `sizeMixture` makes of its column and of the sensitivity of the outputs to
   * the weights that are sampled. R counts the columns of all heads.
   */
  readonly sizes: Float32Array;
  /** sum_r ||c_{n,r}||^2 over the columns of each head: one array of [samples] a head. */
  readonly totals: readonly Float32Array[];
  /** ||a_n||^2 of the input of each head's closed form; zeros where it has none. */
  readonly inputNorms: readonly Float32Array[];
  /** The columns themselves. */
  readonly ofHeads?: Pick<HeadColumns, 'column'>;
  /** The losses of the samples, where they were asked for. */
  readonly loss?: SampleLosses;
}

/** The forward pass that says where the curvature lies. */
export interface PairSizing {
  /** For each head whose loss has curvature, the operation whose blocks the forward pass gives; null where there is none. */
  readonly closed: readonly (Operation | null)[];
  /**
   * @param inputs one tensor for each input of the graph, [N, ...]; they stay the caller's.
   * @param between called between two layers where a turn of the event loop is due. What it throws ends the pass.
   */
  sizes(inputs: readonly tf.Tensor[], between?: Between): AsyncGenerator<PairSizes, void, void>;
  /** Drops what it keeps from chunk to chunk. */
  dispose(): void;
}

/** A chunk of samples. */
interface SizedChunk extends StartedChunk {
  readonly found: tf.Tensor2D;
  /** What the numbers say once they have been read. */
  readonly meaning: (values: Float32Array) => PairSizes;
  /** How many samples fit at once. */
  readonly fit: number;
  /** How long each step took: see `fittingWork`. */
  readonly steps: readonly number[];
}

/** The event loop gets its turn between two batches. On a GPU, which works on behind, these limits do not hold. */
const LARGEST_CHUNK = 1024;
/** tfjs-node is quick, has no page to keep alive, and multiplies large batches faster. */
const LARGEST_NATIVE_CHUNK = 4096;
/** Batches whose tensors take more than this run slower, on two processor cores: they leave the caches. */
const LARGEST_BYTES = 2 ** 27;

/**
 * Sets up the forward pass, in chunks of samples that stay under a memory budget.
 *
 * @param withLoss whether the losses of the samples are asked for.
 */
export function pairSizing(graph: Graph, allHeads: readonly Head[], budgetBytes: number, withLoss = false): PairSizing {
  const heads = curvedHeads(allHeads);
  const ordered = maximaFirst(graph, { join: false });
  const plan = planSteps(ordered);
  const forwardPlan = withoutBackward(plan);
  const closed = closedFormOperations(graph, heads);
  const known = new Set(closed.flatMap((operation) => operation?.parameters ?? []));
  const newPass = () => sensitivityPass(ordered, plan, heads, known);
  let mixture = sizeMixture();
  let pass = newPass();

  async function sizeChunk(
    pass: SensitivityPass,
    inputs: readonly tf.Tensor[],
    begin: number,
    samples: number,
    between: Between,
  ): Promise<SizedChunk> {
    const gauge = memoryGauge(budgetBytes);
    const isWhole = samples === inputs[0].shape[0];
    const slices = isWhole ? inputs.map((x) => x.clone()) : samplesOf(inputs, begin, samples);
    try {
      const tape = await inTurns(ordered, recording(ordered, forwardPlan, slices, gauge, pass), between);
      try {
        let meaning: SizedChunk['meaning'] | undefined;
        const found = gaugedTidy(gauge, () => {
          const weights = curvatureOfSamples(heads, tape.outputs);
          const { q, inputNorms: known } = pass.sensitivities(tape, weights);
          const columns = headColumns(heads, tape.outputs, q, weights);
          const losses = withLoss ? [tf.transpose(lossesOfSamples(allHeads, tape.outputs))] : [];
          const vanishing = heads.filter(({ hessian }) => hessian.mayVanish);
          const zeros = vanishing.length > 0 ? [zeroWhereFinite(vanishing, tape.outputs)] : [];
          const { joined, partsOf } = sideBySide([
            ...columns.tensors,
            ...(known ? [known.numbers] : []),
            ...zeros,
            ...losses,
          ]);
          meaning = (values) => {
            const parts = partsOf(values);
            const norms = parts[columns.tensors.length];
            const inputNorms = closed.map((operation) => {
              const place = operation ? known?.operations.indexOf(operation) : undefined;
              const found = new Float32Array(samples);
              for (let n = 0; place !== undefined && place >= 0 && n < samples; n++) {
                found[n] = norms.all[n * norms.width + norms.from + place];
              }
              return found;
            });
            const ofHeads = columns.of(parts);
            const ofColumns = ofHeads.norms();
            const sizes = mixture(ofColumns);
            if (zeros.length > 0) {
              // Outputs that are not finite are not flat: they show in the totals.
              const { all, width, from } = parts[parts.length - 1 - losses.length];
              for (const ofHead of ofColumns.totals) {
                for (let n = 0; n < samples; n++) {
                  ofHead[n] += all[n * width + from];
                }
              }
            }
            const loss = withLoss && { loss: lossesIn(parts[parts.length - 1], samples) };
            return { samples, sizes, totals: ofColumns.totals, inputNorms, ofHeads, ...loss };
          };
          return joined;
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
          return { found, fit, steps: gauge.steps, meaning: meaning as SizedChunk['meaning'] };
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

  return {
    closed,
    sizes(inputs, between) {
      const [length] = inputs[0].shape;
      const shapes = shapesOfSample(inputs);
      const trial = async (between: Between) => {
        // What a trial has seen would count twice.
        const tried = newPass();
        try {
          return await trialOfSamples(Number.POSITIVE_INFINITY, (_, count) =>
            onSamplesForTrial(inputs, count, (some) => sizeChunk(tried, some, 0, count, between)),
          );
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
        start: (begin, count, _, between) => sizeChunk(pass, inputs, begin, count, between),
        read: ({ meaning }, values) => meaning(values),
        forget() {
          // Means that hold zeros of a failed device would hold them for ever.
          pass.dispose();
          pass = newPass();
          mixture = sizeMixture();
        },
      };
      return chunksOf(chunked, between);
    },
    dispose: () => pass.dispose(),
  };
}

/** Losses and curvatures of samples, two numbers each. */
function lossesIn({ all, width, from }: SampleNumbers, samples: number): SampleLosses {
  const each = (place: number) => Float32Array.from({ length: samples }, (_, n) => all[n * width + from + place]);
  return { values: each(0), curvature: each(1) };
}
