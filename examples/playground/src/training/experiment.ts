import type { Settings } from '../settings.js';
import { digitSamples, digits } from './digits.js';
import type { Scene } from './messages.js';
import { randomNumbers } from './random-numbers.js';
import { type Samples, withNoise } from './samples.js';
import { toyPoints } from './toys.js';

/** Points of a toy to train on, and as many to test. */
const POINTS = 300;
/** Rows and columns of the picture of a decision boundary. */
export const GRID = 64;
/** The picture reaches from minus this to this. */
export const REACH = 1.1;
/** Digits whose predictions are shown. */
const SHOWN = 48;

/** What is trained on, tested and shown. */
export interface Experiment {
  /** Their labels are as noisy as was chosen; those of the test never are. */
  readonly train: Samples;
  readonly test: Samples;
  readonly scene: Scene;
  /** What the network is asked for the picture, in rows. */
  readonly shown: Float32Array;
}

/** @throws Error with one line where the digits cannot be loaded. */
export async function experiment({ data, samples, noise, seed }: Settings): Promise<Experiment> {
  const random = randomNumbers(seed + 1);
  if (data === 'digits') {
    const [forTraining, forTest] = await Promise.all([digits('train'), digits('test')]);
    const clean = digitSamples(forTraining, samples);
    const test = digitSamples(forTest, 1000);
    return {
      train: { ...clean, labels: withNoise(clean.labels, clean.classes, noise, random).labels },
      test,
      scene: {
        kind: 'digits',
        images: { pixels: forTest.pixels.slice(0, SHOWN * test.width), labels: test.labels.slice(0, SHOWN) },
      },
      shown: test.inputs.slice(0, SHOWN * test.width),
    };
  }
  const clean = toyPoints(data, POINTS, 2 * seed);
  const { labels, wrong } = withNoise(clean.labels, clean.classes, noise, random);
  const grid = Float32Array.from({ length: 2 * GRID * GRID }, (_, i) => {
    const cell = Math.floor(i / 2);
    const index = i % 2 === 0 ? cell % GRID : GRID - 1 - Math.floor(cell / GRID);
    return REACH * ((2 * (index + 0.5)) / GRID - 1);
  });
  return {
    train: { ...clean, labels },
    test: toyPoints(data, POINTS, 2 * seed + 1),
    scene: { kind: 'points', points: { xy: clean.inputs, labels, wrong, classes: clean.classes } },
    shown: grid,
  };
}
