import type { MinimumSharpnessOptions } from 'tfjs-sharpness';

/** A way of measuring while a network trains. */
export interface MeasuredTraining {
  /** As one would write it. */
  readonly title: string;
  /** Measures all images, not the minibatches. */
  readonly withData: boolean;
  /** Undefined: no callback. */
  readonly options: MinimumSharpnessOptions | undefined;
}

/** The first is what the others are compared with. */
export const schedules = {
  none: { title: 'no callback', withData: false, options: undefined },
  default: { title: '{ data }', withData: true, options: {} },
  epochs: { title: '{ data, every: { epochs: 5 } }', withData: true, options: { every: { epochs: 5 } } },
  batches: { title: '{ data, every: { batches: 100 } }', withData: true, options: { every: { batches: 100 } } },
  share: { title: '{ data, every: { overhead: 0.05 } }', withData: true, options: { every: { overhead: 0.05 } } },
  minibatch: { title: '{ } (minibatches)', withData: false, options: {} },
  exact: {
    title: "{ data, method: 'exact', every: { epochs: 5 } }",
    withData: true,
    options: { method: 'exact', every: { epochs: 5 } },
  },
} as const satisfies Record<string, MeasuredTraining>;

export type ScheduleName = keyof typeof schedules;
