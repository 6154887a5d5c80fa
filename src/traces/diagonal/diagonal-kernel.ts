import * as tf from '@tensorflow/tfjs-core';
import { sendingBack } from '../../network/backward.js';
import { type Graph, trainedParameters } from '../../network/graph.js';
import { columnsOf, curvedHeads, deltasOf, exponentsOf, type Head } from '../../network/heads.js';
import type { Parameter } from '../../network/layers/operation.js';
import { maximaFirst } from '../../network/maxima-first.js';
import { planSteps, recording } from '../../network/tape.js';
import { FLOAT_BYTES, gaugedTidy, loadOf, memoryGauge } from '../../tfjs/memory-gauge.js';
import {
  type Between,
  type ChunkedPass,
  chunksOf,
  fitting,
  type StartedChunk,
  samplesOf,
  shapesOfSample,
  trialOfSamples,
} from '../chunks.js';
import { inTurns, turnWhereDue } from '../event-loop.js';
import { rememberInputs } from '../hutchinson/weight-gradients.js';
import { squaredGradients } from './squared-gradients.js';

/** The diagonal of the Gauss-Newton matrix, for one model and loss. */
export interface DiagonalKernel {
  /** The trained weights, in the order of the graph. */
  readonly parameters: readonly Parameter[];
  /**
   * Adds that of a batch, summed over its samples.
   *
   * @param sums one a parameter, with the elements of its weight tensor in their order.
   * @param inputs one tensor for each input of the graph, [N, ...]; they stay the caller's.
   * @param between called between two pieces of a chunk, with the samples and the backward rows that are done: the place to yield to the
   *   event loop. What it throws ends the pass.
   * @throws RangeError with one line when one sample does not fit the memory budget.
   */
  add(
    sums: readonly Float64Array[],
    inputs: readonly tf.Tensor[],
    between?: (samples: number, rows: number) => Promise<void>,
  ): Promise<void>;
}

/** A chunk of samples with all of its columns: the sums of all parameters, one behind the other, and then `exponent`. */
interface DiagonalChunk extends StartedChunk {
  readonly found: tf.Tensor1D;
  readonly samples: number;
  readonly columns: number;
}

/** The numbers of a chunk, once they are read. */
interface ReadChunk extends Omit<DiagonalChunk, 'found'> {
  readonly values: Float32Array;
}

/**
 * Sets up the kernel of the diagonal: for element i of the weights,
 *
 *     sum_n sum_r ( d(c_{n,r}^T z_n) / d theta_i )^2,
 *
 * one backward pass of all samples of a chunk for each column r, of which every operation leaves the squares of its gradients. Deltas are
 * divided by 2^e, about the largest of their chunk, so that what counts stays in the range of float32.
 */
export function diagonalKernel(graph: Graph, allHeads: readonly Head[], budgetBytes: number): DiagonalKernel {
  const heads = curvedHeads(allHeads);
  const ordered = rememberInputs(maximaFirst(graph));
  const plan = planSteps(ordered);
  const parameters = trainedParameters(graph);
  const sizes = parameters.map(({ variable }) => variable.read().size);

  async function start(inputs: readonly tf.Tensor[], begin: number, samples: number, between: Between) {
    const gauge = memoryGauge(budgetBytes);
    const slices = samplesOf(inputs, begin, samples);
    let sums: tf.Tensor1D[] = [];
    try {
      const tape = await inTurns(ordered, recording(ordered, plan, slices, gauge), between);
      let exponents: tf.Tensor1D | undefined;
      try {
        exponents = gaugedTidy(gauge, () => {
          const ofHeads = heads.map((head) => tf.max(exponentsOf(head, tape.outputs)));
          return tf.mul(tf.ones([samples]), tf.max(tf.stack(ofHeads))) as tf.Tensor1D;
        });
        let columns = 0;
        for (const head of heads) {
          const ofHead = tf.tidy(() => columnsOf(head, tape.outputs));
          columns += ofHead;
          for (let r = 0; r < ofHead; r++) {
            await turnWhereDue(ordered, between);
            const delta = gaugedTidy(gauge, () => deltasOf(head, tape.outputs, r, 1, exponents));
            const walk = sendingBack(
              ordered,
              plan,
              tape,
              new Map([[head.output, delta]]),
              1,
              gauge,
              (operation, calls) => squaredGradients(operation, calls, budgetBytes),
            );
            const squares = await inTurns(ordered, walk, between);
            const earlier = sums;
            try {
              sums = gaugedTidy(gauge, () =>
                parameters.map((parameter, b): tf.Tensor1D => {
                  const square = (squares.get(parameter) ?? tf.zeros([sizes[b]])) as tf.Tensor1D;
                  return earlier[b] ? tf.add(earlier[b], square) : tf.clone(square);
                }),
              );
            } finally {
              tf.dispose([...squares.values()]);
            }
            tf.dispose(earlier);
          }
        }
        const exponent = exponents;
        const found = gaugedTidy(gauge, () => tf.concat1d([...sums, tf.slice1d(exponent, 0, 1)]));
        return { found, samples, columns, gauge };
      } finally {
        exponents?.dispose();
        tape.dispose();
      }
    } finally {
      tf.dispose([slices, sums]);
    }
  }

  return {
    parameters,
    async add(sums, inputs, between = async () => {}) {
      if (heads.length === 0) {
        return;
      }
      let done = 0;
      let rows = 0;
      const started = async (begin: number, count: number, turn: Between) => {
        const { gauge, ...chunk } = await start(inputs, begin, count, turn);
        try {
          // Beside a chunk, the numbers of the one before are still there.
          const load = loadOf(gauge, budgetBytes) + FLOAT_BYTES * chunk.found.size;
          const fit = fitting(budgetBytes, count, load, count === 1);
          return { ...chunk, fit, steps: [...gauge.steps] };
        } catch (error) {
          chunk.found.dispose();
          throw error;
        }
      };
      const [length] = inputs[0].shape;
      const pass: ChunkedPass<DiagonalChunk, ReadChunk> = {
        name: 'diagonal',
        plan,
        heads,
        budgetBytes,
        length,
        shapes: shapesOfSample(inputs),
        trial: (turn) => trialOfSamples(length, (begin, count) => started(begin, count, turn)),
        start: (begin, count, _, turn) => started(begin, count, turn),
        // As many numbers as there are weights, of however few samples.
        together: 1,
        // One that cannot be used is read again, so that nothing is added up here.
        read: ({ samples, columns }, values) => ({ samples, columns, values }),
      };
      for await (const chunk of chunksOf(pass, () => between(done, rows))) {
        addTo(sums, chunk.values);
        done += chunk.samples;
        rows += chunk.samples * chunk.columns;
        await between(done, rows);
      }
    },
  };
}

/** @param values of all parameters, one behind the other, in units of 4 to the power of the last number. */
function addTo(sums: readonly Float64Array[], values: Float32Array): void {
  const scale = 4 ** values[values.length - 1];
  let from = 0;
  for (const sum of sums) {
    for (let i = 0; i < sum.length; i++) {
      sum[i] += scale * values[from + i];
    }
    from += sum.length;
  }
}
