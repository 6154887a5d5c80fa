/**
 * Reverse-mode differentiation of one sample in float64, on plain arrays. It shares nothing with tf.js: neither its
 * kernels nor its registered gradients, so that it can judge both.
 */

/** A tensor of one sample, without batch axis, row-major. */
export interface Value {
  readonly shape: readonly number[];
  readonly data: Float64Array;
  /** d(output) / d(this), filled by `differentiate`. */
  readonly gradient: Float64Array;
}

/** Everything computed for one sample, in order. */
export interface Tape {
  /** Each adds what a value's gradient contributes to the gradients of the values it was computed from. */
  readonly contributions: (() => void)[];
  readonly values: Value[];
  /**
   * How near the sample is to a point where the network has no derivative: the smallest distance of a ReLU's input to
   * its kink and between the two largest entries of a pooling window, relative to the largest entry of that tensor (or 1).
   */
  kinkDistance: number;
}

export function newTape(): Tape {
  return { contributions: [], values: [], kinkDistance: Number.POSITIVE_INFINITY };
}

export function size(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** A value that is given: an input or a weight. */
export function leaf(tape: Tape, shape: readonly number[], data: ArrayLike<number>): Value {
  const value = { shape, data: Float64Array.from(data), gradient: new Float64Array(data.length) };
  tape.values.push(value);
  return value;
}

/** A value that was computed; `contribute` reads its gradient. */
export function computed(
  tape: Tape,
  shape: readonly number[],
  data: Float64Array,
  contribute: (gradient: Float64Array) => void,
): Value {
  const value = leaf(tape, shape, data);
  tape.contributions.push(() => contribute(value.gradient));
  return value;
}

/** Fills the gradient of every value on the tape: that of entry `index` of `output`. */
export function differentiate(tape: Tape, output: Value, index: number): void {
  for (const value of tape.values) {
    value.gradient.fill(0);
  }
  output.gradient[index] = 1;
  for (let i = tape.contributions.length - 1; i >= 0; i--) {
    tape.contributions[i]!();
  }
}

/**
 * Notes the distance of `x` to a kink. A distance of exactly 0 is no coincidence of random numbers: two entries are equal
 * by construction (what a dead unit or padding leaves), and then the derivative is the same on both sides.
 */
export function noteKink(tape: Tape, distance: number, largest: number): void {
  if (distance !== 0) {
    tape.kinkDistance = Math.min(tape.kinkDistance, Math.abs(distance) / Math.max(1, largest));
  }
}

export function largestEntry(x: Value): number {
  return x.data.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
}

/** y_i = f(x_i); kinks are the points where f has no derivative. */
export function elementwise(
  tape: Tape,
  x: Value,
  f: (x: number) => number,
  derivative: (x: number) => number,
  kinks: readonly number[] = [],
): Value {
  const largest = largestEntry(x);
  for (const kink of kinks) {
    for (const v of x.data) {
      noteKink(tape, v - kink, largest);
    }
  }
  return computed(tape, x.shape, x.data.map(f), (gradient) => {
    for (let i = 0; i < gradient.length; i++) {
      x.gradient[i]! += gradient[i]! * derivative(x.data[i]!);
    }
  });
}

/** y_i = x_{source_i}, or 0 where source_i is -1: flatten, pad, concatenate with others. */
export function rearrange(
  tape: Tape,
  parts: readonly Value[],
  shape: readonly number[],
  source: readonly { part: number; index: number }[],
): Value {
  const data = Float64Array.from(source, ({ part, index }) => (index < 0 ? 0 : parts[part]!.data[index]!));
  return computed(tape, shape, data, (gradient) => {
    source.forEach(({ part, index }, i) => {
      if (index >= 0) {
        parts[part]!.gradient[index]! += gradient[i]!;
      }
    });
  });
}
