import * as tf from '@tensorflow/tfjs-core';
import type { Graph } from '../../network/graph.js';
import { columnsOf, type Head, squaredNormsOf } from '../../network/heads.js';
import type { Operation } from '../../network/layers/operation.js';
import { maximaFirst } from '../../network/maxima-first.js';
import { planSteps, record, withoutBackward } from '../../network/tape.js';
import { isNative } from '../../tfjs/backend.js';
import { gaugedTidy, loadOf, memoryGauge } from '../../tfjs/memory-gauge.js';
import {
  chunksOf,
  fitting,
  type StartedChunk,
  samplesOf,
  shapesOfSample,
  trialOfSamples,
  valuesOf,
} from '../chunks.js';

/** What a forward pass says of the curvature of consecutive samples. */
export interface PairWeights {
  readonly samples: number;
  /** Columns of the output Hessian's factor that a sample has in each head; R in all. */
  readonly columnsOfHeads: readonly number[];
  /** w = ||c_{n,r}||^2 of every pair, sample by sample: [samples * R]. */
  readonly weights: Float32Array;
  /** ||a_n||^2 of the input of every call that has trained weights: one array of [samples] a call. */
  readonly inputNorms: readonly Float32Array[];
}

/** The forward pass that says where the curvature lies. */
export interface PairWeighing {
  /** Operations with trained weights, one entry a call, in the order of the graph: those of `inputNorms`. */
  readonly calls: readonly Operation[];
  /** @param inputs one tensor for each input of the graph, [N, ...]; they stay the caller's. */
  weights(inputs: readonly tf.Tensor[]): AsyncGenerator<PairWeights, void, void>;
}

/** A chunk of samples. */
interface WeighedChunk extends StartedChunk {
  /** The weights of its pairs, then the norms of the inputs of its calls: [samples, R + calls]. */
  readonly found: tf.Tensor2D;
  readonly columnsOfHeads: readonly number[];
  /** How many samples fit at once. */
  readonly fit: number;
}

/** The event loop gets its turn between two batches. */
const LARGEST_CHUNK = 1024;
/** tfjs-node is quick, has no page to keep alive, and multiplies large batches faster. */
const LARGEST_NATIVE_CHUNK = 4096;
/** Batches whose tensors take more than this run slower, on two processor cores: they leave the caches. */
const LARGEST_BYTES = 2 ** 26;

/** Sets up the forward pass, in chunks of samples that stay under a memory budget. */
export function pairWeighing(graph: Graph, heads: readonly Head[], budgetBytes: number): PairWeighing {
  const plan = planSteps(maximaFirst(graph));
  const forwardPlan = withoutBackward(plan);
  const weighted = plan.flatMap(({ leavesNorms }, i) => (leavesNorms ? [i] : []));

  function weigh(inputs: readonly tf.Tensor[], begin: number, samples: number): WeighedChunk {
    const gauge = memoryGauge();
    const slices = samplesOf(inputs, begin, samples);
    const norms: tf.Tensor[] = [];
    try {
      const tape = record(graph, forwardPlan, slices, gauge, (step, stepInputs) => {
        if (weighted.includes(step)) {
          norms.push(
            gaugedTidy(gauge, () =>
              stepInputs.map((x) => squaredNormOfEach(x, samples)).reduce((a, b) => tf.add(a, b)),
            ),
          );
        }
      });
      try {
        const weights = gaugedTidy(gauge, () => squaredNormsOf(heads, tape.outputs));
        norms.unshift(weights);
        const fit = Math.min(
          isNative() ? LARGEST_NATIVE_CHUNK : LARGEST_CHUNK,
          fitting(budgetBytes, samples, loadOf(gauge, budgetBytes), samples === 1),
          fitting(LARGEST_BYTES, samples, gauge.peak, false),
        );
        const columnsOfHeads = tf.tidy(() => heads.map((head) => columnsOf(head, tape.outputs)));
        return { found: tf.concat(norms, 1) as tf.Tensor2D, columnsOfHeads, fit };
      } finally {
        tape.dispose();
      }
    } finally {
      tf.dispose([slices, norms]);
    }
  }

  async function read({ found, columnsOfHeads }: WeighedChunk): Promise<PairWeights> {
    const [samples, width] = found.shape;
    const columns = width - weighted.length;
    const values = await valuesOf(found);
    const weights = new Float32Array(samples * columns);
    const inputNorms = weighted.map(() => new Float32Array(samples));
    for (let n = 0, from = 0, to = 0; n < samples; n++) {
      for (let r = 0; r < columns; r++) {
        weights[to++] = values[from++];
      }
      for (const norms of inputNorms) {
        norms[n] = values[from++];
      }
    }
    return { samples, columnsOfHeads, weights, inputNorms };
  }

  return {
    calls: weighted.map((step) => plan[step].step.operation),
    async *weights(inputs) {
      const [length] = inputs[0].shape;
      const shapes = shapesOfSample(inputs);
      const start = (begin: number, count: number) => weigh(inputs, begin, count);
      const trial = () => trialOfSamples(length, start);
      const pass = { name: 'weights', plan, heads, budgetBytes, length, shapes, trial, start } as const;
      for await (const chunk of chunksOf(pass)) {
        yield await read(chunk);
      }
    },
  };
}

/** ||x_n||^2, [N, 1]; 0 for whole numbers, such as the tokens of an embedding, which name something and measure nothing. */
function squaredNormOfEach(x: tf.Tensor, samples: number): tf.Tensor {
  return x.dtype === 'float32'
    ? tf.sum(tf.square(x.rank === 2 ? x : tf.reshape(x, [samples, -1])), 1, true)
    : tf.zeros([samples, 1], 'float32');
}
