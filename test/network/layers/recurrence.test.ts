import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import type { CallWithDelta } from '../../../src/network/layers/operation.js';
import { operationsOf } from './check-layers.js';

const [SAMPLES, STEPS, UNITS] = [2, 4, 3];
const noise = (shape: number[], seed: number) => tf.randomUniform(shape, -1, 1, 'float32', seed);
const e = () => noise([SAMPLES, STEPS, UNITS], 1) as tf.Tensor3D;

/** h_t = tanh(e_t + h_(t-1) U): what a SimpleRNN does behind its kernel and bias. */
function recurrence(options: { returnSequences?: boolean; goBackwards?: boolean } = {}) {
  const recurrentInitializer = tfl.initializers.randomNormal({ seed: 2 });
  const layer = tfl.layers.simpleRNN({ units: UNITS, recurrentInitializer, ...options });
  return operationsOf(layer, [STEPS, 2])[1]!;
}

function expectSame(found: tf.Tensor, expected: tf.Tensor): void {
  expect(found.shape).toEqual(expected.shape);
  expect(tf.max(tf.abs(tf.sub(found, expected))).dataSync()[0]).toBeLessThan(1e-6);
}

describe('the recurrence of a layer', () => {
  it('ends with the last of its outputs', () => {
    tf.tidy(() => {
      const all = recurrence({ returnSequences: true }).forward([e()]).output;
      expect(all.shape).toEqual([SAMPLES, STEPS, UNITS]);
      const last = tf.squeeze(tf.slice(all, [0, STEPS - 1, 0]), [1]);
      expectSame(recurrence().forward([e()]).output, last);
      expectSame(tf.slice(all, [0, 0, 0], [SAMPLES, 1, UNITS]), tf.tanh(tf.slice(e(), [0, 0, 0], [SAMPLES, 1, UNITS])));
    });
  });

  it('takes the steps from the last to the first where the layer goes backwards', () => {
    tf.tidy(() => {
      for (const returnSequences of [false, true]) {
        const backwards = recurrence({ goBackwards: true, returnSequences }).forward([e()]).output;
        expectSame(backwards, recurrence({ returnSequences }).forward([tf.reverse(e(), 1)]).output);
      }
    });
  });

  it('goes past masked steps, as if they were not there, and sends them no delta', () => {
    tf.tidy(() => {
      const operation = recurrence();
      const mask = tf.tensor2d(Array<number[]>(SAMPLES).fill([1, 0, 1, 0]).flat(), [SAMPLES, STEPS], 'bool');
      const { output, saved } = operation.forward([e()], true, mask);
      const counted = tf.gather(e(), [0, 2], 1);
      const short = operation.forward([counted]);
      expectSame(output, short.output);
      const delta = noise([2 * SAMPLES, UNITS], 3);
      const inputShapes = [e().shape];
      const [back] = operation.backward({ saved, mask, inputShapes }, delta, 2);
      const [expected] = operation.backward({ saved: short.saved, inputShapes: [counted.shape] }, delta, 2);
      expectSame(tf.gather(back!, [0, 2], 1), expected!);
      expectSame(tf.gather(back!, [1, 3], 1), tf.zeros([2 * SAMPLES, 2, UNITS]));
    });
  });

  it('has the norms of its gradients, sample by sample, over all its calls', () => {
    tf.tidy(() => {
      const operation = recurrence({ returnSequences: true });
      const calls = [1, 2].map((sign): CallWithDelta => {
        const { saved } = operation.forward([tf.mul(e(), sign)]);
        return { saved, inputShapes: [e().shape], delta: noise([SAMPLES, STEPS, UNITS], 3 + sign) };
      });
      const [norms] = operation.squaredNorms!(calls, 1).map((norm) => norm!.dataSync());
      for (let n = 0; n < SAMPLES; n++) {
        const ofSample = calls.map(({ saved, delta, inputShapes }) => ({
          saved: saved.map((x) => tf.slice(x, n, 1)),
          delta: tf.slice(delta, n, 1),
          inputShapes,
        }));
        const [gradient] = operation.gradients!(ofSample);
        expect(gradient!.shape).toEqual([UNITS, UNITS]);
        expect(norms![n]! / tf.sum(tf.square(gradient!)).dataSync()[0]!).toBeCloseTo(1, 4);
      }
    });
  });

  it('records nothing where nothing of it will be used', () => {
    tf.tidy(() => {
      expect(recurrence().forward([e()], false).saved).toEqual([]);
    });
  });
});
