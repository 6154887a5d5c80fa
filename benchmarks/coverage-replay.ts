import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { TensorInputs } from '../src/measure/inputs.js';
import { modelAssignment } from '../src/measure/measure-sharpness.js';
import { estimateOfShares, factorsOf, type Share, sampledShare } from '../src/measure/methods.js';
import type { MeasureOptions, SampledMethod } from '../src/measure/options.js';
import { readingOf, type SharpnessReading } from '../src/measure/reading.js';
import { type Task, withTask } from '../src/measure/task.js';
import { minimizeOverScales } from '../src/symmetry/scale-minimum.js';
import { type PairKernel, pairKernel } from '../src/traces/pairs/pair-kernel.js';
import { drawnPairs, type ForwardPass, forwardPasses } from '../src/traces/pairs/pair-sampler.js';
import { SampledTraces } from '../src/traces/pairs/sampled-traces.js';
import type { SizedBatch } from '../src/traces/pairs/sized-batch.js';
import { tensorPairs } from '../src/traces/pairs/tensor-pairs.js';

/**
 * Everything that any sampled reading of a network could find: the traces of all pairs, and what the forward pass says.
 * Readings are then taken from these numbers by the code that real readings run, many a second.
 */
export interface Recording {
  readonly task: Task;
  readonly samples: number;
  /** The closed forms of the forward pass, and the sizes of its pairs. */
  readonly known: ForwardPass['known'];
  readonly batch: SizedBatch;
  /** t_{b,i}: for each parameter, one number a pair. */
  readonly traces: readonly Float64Array[];
  /** The exact reading, as a share. */
  readonly exact: Share;
  /** The exact Minimum Sharpness. */
  readonly truth: number;
}

/** What one replayed reading says. */
export interface ReplayedReading extends SharpnessReading {
  /** Half the width of the 95% interval, t times `standardError`; Infinity where there is none. */
  readonly margin: number;
}

const noPause = async () => {};

/** Runs the forward pass and the kernel on every pair, once. */
export function record(model: tfl.LayersModel, inputs: TensorInputs, options: MeasureOptions): Promise<Recording> {
  return withTask(modelAssignment(model, inputs, options), async (task) => {
    const { subject, data, budgetBytes } = task;
    const { graph, heads, symmetry } = subject;
    const tensors = data.tensors as readonly tf.Tensor[];
    const [samples] = tensors[0]!.shape as [number];
    const kernel = pairKernel(graph, heads, budgetBytes);
    const { known, sizesOf, dispose } = forwardPasses(graph, heads, budgetBytes, kernel.parameters, false)();
    const batch = await sizesOf(tensors, noPause);
    dispose();
    const pairs = samples * batch.columns;
    const source = tensorPairs(tensors, batch, 0, false, undefined);
    const rows = (begin: number, count: number) => source.rows(Array.from({ length: count }, (_, i) => begin + i));
    const traces = kernel.parameters.map(() => new Float64Array(pairs));
    let done = 0;
    for await (const chunk of kernel.traces(pairs, source.shapes, rows)) {
      chunk.forEach((values, b) => {
        traces[b]!.set(values, done);
      });
      done += chunk[0]!.length;
    }
    const sums = known.sums.map((sum, b) => sum ?? traces[b]!.reduce((total, trace) => total + trace, 0));
    const truth = minimizeOverScales(
      symmetry,
      sums.map((sum) => sum / samples),
    ).value;
    const sample = { samples, pairs, closedForm: sums, inclusion: [], traces: sums.map(() => []) };
    return { task, samples, known, batch, traces, exact: { sample }, truth };
  });
}

/**
 * One reading. The only input of the network that is replayed is the number of the sample, from which the kernel looks the
 * traces up.
 *
 * @param sizes of the pairs, where others shall be drawn by than those of the forward pass.
 */
export async function replay(
  recording: Recording,
  method: SampledMethod,
  seed: number,
  sizes: Float32Array = recording.batch.sizes,
): Promise<ReplayedReading> {
  const { task, samples, known, batch, traces, exact } = recording;
  const { subject, budgetBytes } = task;
  const places = tf.range(0, samples, 1, 'int32');
  const kernel: PairKernel = {
    parameters: pairKernel(subject.graph, subject.heads, budgetBytes).parameters,
    async *traces(length, _shapes, rows) {
      if (length > 0) {
        const { inputs, columns } = rows(0, length);
        const drawn = inputs[0]!.dataSync();
        tf.dispose(inputs);
        yield traces.map((ofPair) =>
          Float64Array.from(columns, (column, i) => ofPair[drawn[i]! * batch.columns + column]!),
        );
      }
    },
  };
  const forward = { known, range: { holds: () => true }, sizesOf: async () => ({ ...batch, sizes }), dispose() {} };
  try {
    const share = await sampledShare(
      { ...task, seed, pause: noPause, data: { tensors: [places], eachBatch: (run) => run([places]) } },
      method,
      {
        sampler: { ...drawnPairs(kernel, () => forward, budgetBytes, seed), drawsNothing: false },
        exact: async () => exact,
      },
    );
    const estimate = estimateOfShares(subject, [share]);
    const { margin } = new SampledTraces([share.sample]).errorOf(factorsOf(estimate.minimum));
    return { ...readingOf(subject, estimate, performance.now()), margin };
  } finally {
    places.dispose();
  }
}
