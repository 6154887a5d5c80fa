import { type Architecture, architectures } from './networks.js';

/** How the networks of one architecture are trained. */
export interface Protocol {
  readonly architecture: Architecture;
  /** Training images. */
  readonly images: number;
  readonly batch: number;
  readonly epochs: number;
  /** Learning rate of the first step. */
  readonly rate: number;
  /** What the learning rate is divided by in the end: step t of T has rate / (1 + (fall - 1) t / T). */
  readonly fall: number;
}

/** One network. */
export interface Setting extends Protocol {
  /** Share of the labels that are shuffled among themselves. */
  readonly ratio: number;
  readonly seed: number;
}

export const MOMENTUM = 0.9;
export const WEIGHT_DECAY = 1e-5;
export const TEST_IMAGES = 1000;

/** The paper divides its rates by 1 + 1e-4 t, and takes 59 steps of 1,024 images an epoch. */
const fallOver = (epochs: number) => Number((1 + 1e-4 * 59 * epochs).toFixed(1));

/**
 * As in the paper, but for the number of images (it has 60,000), of epochs (3,000 and 1,000), and the size of the batches (1,024). Over
 * its fewer steps the learning rate falls as far: with 1 + 1e-4 t it would stay so high that shuffled labels are not fitted.
 */
export const protocols: Readonly<Record<Architecture, Protocol>> = {
  MLP: { architecture: 'MLP', images: 1000, batch: 100, epochs: 400, rate: 0.1, fall: fallOver(3000) },
  LeNet: { architecture: 'LeNet', images: 500, batch: 50, epochs: 200, rate: 0.01, fall: fallOver(1000) },
};

/** Networks of each ratio; the seeds are 1 to this. */
export const seeds: Readonly<Record<Architecture, number>> = { MLP: 5, LeNet: 3 };

/** In this order, so that a beginning of them covers the range. */
export const ratios = [1, 0, 0.5, 0.2, 0.8, 0.3, 0.7, 0.1, 0.9, 0.4, 0.6] as const;

/** All networks in the order of training: one of every ratio before the second of any. */
export function grid(): Setting[] {
  return architectures.flatMap((architecture) =>
    Array.from({ length: seeds[architecture] }, (_, i) => i + 1).flatMap((seed) =>
      ratios.map((ratio) => ({ ...protocols[architecture], ratio, seed })),
    ),
  );
}

/** Every network by a name of its own, which is also that of its folder of weights. */
export const nameOf = ({ architecture, images, batch, epochs, rate, fall, ratio, seed }: Setting) =>
  `${architecture}-${images}-images-batch-${batch}-rate-${rate}-falling-${fall}-${epochs}-epochs-ratio-${ratio}-seed-${seed}`;

/** After which epochs a network is looked at: before the first, then in steps of about sqrt(2), and after the last. */
export function snapshotEpochs(epochs: number): number[] {
  const steps = Array.from({ length: 40 }, (_, i) => Math.round(2 ** (i / 2))).filter((epoch) => epoch < epochs);
  return [0, ...new Set(steps), epochs];
}
