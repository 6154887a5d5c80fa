import * as tf from '@tensorflow/tfjs';
import { type Head, lossOf } from './dense.js';
import type { BuiltNetwork, CoverageNetwork } from './network.js';
import { amplify, changeWeight, normal, putToSleep, type RareUnits, setRandomWeights } from './rare-units.js';

const { dense, embedding, gru, lstm, simpleRNN, timeDistributed } = tf.layers;
const SAMPLES = 1200;
const STEPS = 6;
const INPUTS = 4;
const UNITS = 8;
const RARE = [0, 1];
const inputShape = [STEPS, INPUTS];
/** Orthogonal matrices, tf.js' own choice, take it long to make; the weights are set anyway. */
const cheap = { recurrentInitializer: 'glorotUniform' } as const;

interface Wiring {
  readonly sleep: Partial<RareUnits>;
  readonly amplified: string;
  readonly gain: number;
  readonly head?: Head;
}

function build(
  layers: tf.layers.Layer[],
  { sleep, amplified, gain, head = 'linear' }: Wiring,
  seed: number,
): BuiltNetwork {
  const model = tf.sequential({ layers });
  setRandomWeights(model, seed);
  const inputs = normal([SAMPLES, ...inputShape], seed);
  putToSleep(model, inputs, { layer: 'first', units: RARE, share: 0.005, ...sleep });
  amplify(model, amplified, RARE, gain);
  return { model, inputs, options: { loss: lossOf[head] } };
}

const output = (head: Head = 'linear') => dense({ units: 3, activation: head, name: 'output' });
const hidden = () => dense({ units: UNITS, activation: 'relu', name: 'hidden' });
const eachStep = () =>
  timeDistributed({ layer: dense({ units: UNITS, activation: 'relu' }), name: 'first', inputShape });

/** A recurrence that makes much of two sleeping units in front of it. */
const behindSleepers = (reads: tf.layers.Layer, seed: number, wiring: Partial<Wiring> = {}) =>
  build(
    [dense({ units: UNITS, activation: 'relu', name: 'first', inputShape }), reads, output(wiring.head)],
    { sleep: {}, amplified: 'reads', gain: 60, ...wiring },
    seed,
  );

/** Bursts: words of which some are rare and have large vectors, so that they wake what hardly ever wakes. */
function rareTokens(recurrent: boolean, seed: number): BuiltNetwork {
  const WORDS = 40;
  const WIDTH = 6;
  const model = tf.sequential({
    layers: [
      embedding({ inputDim: WORDS, outputDim: WIDTH, inputLength: STEPS, name: 'words' }),
      recurrent ? gru({ units: UNITS, ...cheap, name: 'reads' }) : tf.layers.globalAveragePooling1d({ name: 'reads' }),
      dense({ units: 12, activation: 'relu', name: 'hidden' }),
      dense({ units: 8, activation: 'relu', name: 'behind' }),
      output(),
    ],
  });
  setRandomWeights(model, seed);
  // Word 0 is in one text of 100, and its vector is long.
  changeWeight(model, 'words', /embeddings/, (values) => {
    values.forEach((value, i) => {
      values[i] = value * (i < WIDTH ? 60 : 3);
    });
  });
  const inputs = tf.tidy(() => {
    const usual = tf.floor(tf.randomUniform([SAMPLES, STEPS], 1, WORDS, 'float32', seed));
    const isRare = tf.randomUniform([SAMPLES, STEPS], 0, 1, 'float32', seed + 1).less(0.01 / STEPS);
    return tf.where(isRare, tf.zerosLike(usual), usual);
  });
  putToSleep(model, inputs, { layer: 'hidden', units: RARE, share: 0.006 });
  amplify(model, 'behind', RARE, 60);
  return { model, inputs, options: { loss: 'meanSquaredError' } };
}

/** On sequences of 6 steps. */
export const recurrentNetworks: readonly CoverageNetwork[] = [
  {
    name: 'simple RNN with sleeping ReLUs, 0.5%, squared error',
    build: (seed) =>
      build(
        [simpleRNN({ units: UNITS, activation: 'relu', name: 'first', inputShape, ...cheap }), hidden(), output()],
        { sleep: {}, amplified: 'hidden', gain: 60 },
        seed,
      ),
  },
  {
    name: 'simple RNN behind sleeping units, 0.5%, squared error',
    build: (seed) => behindSleepers(simpleRNN({ units: UNITS, activation: 'relu', name: 'reads', ...cheap }), seed),
  },
  {
    name: 'simple RNN (tanh) behind sleeping units, 1%, softmax',
    build: (seed) =>
      behindSleepers(simpleRNN({ units: UNITS, name: 'reads', ...cheap }), seed, {
        sleep: { share: 0.01 },
        gain: 30,
        head: 'softmax',
      }),
  },
  {
    name: 'LSTM whose output gates hardly ever open, 1%, squared error',
    build: (seed) =>
      build(
        [lstm({ units: UNITS, name: 'first', inputShape, ...cheap }), hidden(), output()],
        // The gates follow each other: input, forget, cell, output.
        { sleep: { share: 0.01, above: 0.02, firstBias: 3 * UNITS }, amplified: 'hidden', gain: 100 },
        seed,
      ),
  },
  {
    name: 'LSTM behind sleeping units, 0.5%, squared error',
    build: (seed) => behindSleepers(lstm({ units: UNITS, name: 'reads', ...cheap }), seed),
  },
  {
    name: 'GRU behind sleeping units, 0.5%, sigmoid',
    build: (seed) => behindSleepers(gru({ units: UNITS, name: 'reads', ...cheap }), seed, { head: 'sigmoid' }),
  },
  {
    name: 'GRU in front of sleeping units, 0.5%, squared error',
    build: (seed) =>
      build(
        [
          gru({ units: UNITS, name: 'reads', inputShape, ...cheap }),
          dense({ units: UNITS, activation: 'relu', name: 'first' }),
          hidden(),
          output(),
        ],
        { sleep: {}, amplified: 'hidden', gain: 60 },
        seed,
      ),
  },
  {
    name: 'bidirectional, behind sleeping units, 0.5%, squared error',
    build: (seed) =>
      build(
        [
          dense({ units: UNITS, activation: 'relu', name: 'first', inputShape }),
          timeDistributed({ layer: dense({ units: UNITS, activation: 'relu' }), name: 'loud' }),
          tf.layers.bidirectional({ layer: gru({ units: 4, ...cheap }) as tf.RNN, mergeMode: 'concat' }),
          output(),
        ],
        { sleep: {}, amplified: 'loud', gain: 60 },
        seed,
      ),
  },
  {
    name: 'an output at every step, sleeping units in time, 0.5%, squared error',
    build: (seed) =>
      build(
        [
          eachStep(),
          simpleRNN({ units: UNITS, activation: 'relu', returnSequences: true, name: 'reads', ...cheap }),
          output(),
        ],
        { sleep: {}, amplified: 'reads', gain: 60 },
        seed,
      ),
  },
  { name: 'rare words with long vectors, averaged, squared error', build: (seed) => rareTokens(false, seed) },
  { name: 'rare words with long vectors, GRU, squared error', build: (seed) => rareTokens(true, seed) },
];
