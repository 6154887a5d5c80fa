import {
  computed,
  elementwise,
  largestEntry,
  noteKink,
  rearrange,
  size,
  type Tape,
  type Value,
} from './reverse-mode.js';

/** A layer's `getConfig()`. */
export type Config = Readonly<Record<string, unknown>>;
/** A layer's weights by the last part of their names: `kernel`, `bias`, ... */
export type Weights = Readonly<Record<string, Value>>;
type LayerValue = (tape: Tape, config: Config, inputs: readonly Value[], weights: Weights) => Value;

const numbers = (entry: unknown): [number, number] =>
  Array.isArray(entry) ? (entry as [number, number]) : ([entry, entry] as [number, number]);

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

const softmax = (tape: Tape, x: Value): Value => {
  const n = x.shape.at(-1)!;
  const y = new Float64Array(x.data.length);
  for (let start = 0; start < y.length; start += n) {
    const row = x.data.subarray(start, start + n);
    const max = Math.max(...row);
    const sum = row.reduce((s, v) => s + Math.exp(v - max), 0);
    row.forEach((v, i) => {
      y[start + i] = Math.exp(v - max) / sum;
    });
  }
  return computed(tape, x.shape, y, (gradient) => {
    for (let start = 0; start < y.length; start += n) {
      let dot = 0;
      for (let i = start; i < start + n; i++) {
        dot += gradient[i]! * y[i]!;
      }
      for (let i = start; i < start + n; i++) {
        x.gradient[i]! += y[i]! * (gradient[i]! - dot);
      }
    }
  });
};

const leakyRelu = (tape: Tape, x: Value, slope: number) =>
  elementwise(
    tape,
    x,
    (v) => (v > 0 ? v : slope * v),
    (v) => (v > 0 ? 1 : slope),
    [0],
  );

const relu6 = (tape: Tape, x: Value) =>
  elementwise(
    tape,
    x,
    (v) => Math.min(Math.max(v, 0), 6),
    (v) => (v > 0 && v < 6 ? 1 : 0),
    [0, 6],
  );

const activations: Readonly<Record<string, (tape: Tape, x: Value) => Value>> = {
  linear: (_tape, x) => x,
  relu: (tape, x) => leakyRelu(tape, x, 0),
  relu6,
  softmax,
  sigmoid: (tape, x) => elementwise(tape, x, sigmoid, (v) => sigmoid(v) * sigmoid(-v)),
  tanh: (tape, x) => elementwise(tape, x, Math.tanh, (v) => 1 - Math.tanh(v) ** 2),
  swish: (tape, x) =>
    elementwise(
      tape,
      x,
      (v) => v * sigmoid(v),
      (v) => sigmoid(v) + v * sigmoid(v) * sigmoid(-v),
    ),
  gelu_new: (tape, x) => {
    const inner = (v: number) => Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3);
    const slope = (v: number) => Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * v ** 2);
    return elementwise(
      tape,
      x,
      (v) => 0.5 * v * (1 + Math.tanh(inner(v))),
      (v) => 0.5 * (1 + Math.tanh(inner(v))) + 0.5 * v * (1 - Math.tanh(inner(v)) ** 2) * slope(v),
    );
  },
  softplus: (tape, x) => elementwise(tape, x, (v) => Math.log1p(Math.exp(v)), sigmoid),
  elu: (tape, x) =>
    elementwise(
      tape,
      x,
      (v) => (v > 0 ? v : Math.expm1(v)),
      (v) => (v > 0 ? 1 : Math.exp(v)),
    ),
};

export function activate(tape: Tape, name: unknown, x: Value): Value {
  const activation = activations[String(name ?? 'linear')];
  if (!activation) {
    throw new Error(`the reference does not know the activation ${name}`);
  }
  return activation(tape, x);
}

/** The last axis of x times a matrix [in, units], plus a bias. */
const dense: LayerValue = (tape, config, [x], { kernel, bias }) => {
  const fanIn = x!.shape.at(-1)!;
  const units = kernel!.shape[1]!;
  const rows = x!.data.length / fanIn;
  const y = new Float64Array(rows * units);
  for (let r = 0; r < rows; r++) {
    for (let u = 0; u < units; u++) {
      let sum = bias ? bias.data[u]! : 0;
      for (let i = 0; i < fanIn; i++) {
        sum += x!.data[r * fanIn + i]! * kernel!.data[i * units + u]!;
      }
      y[r * units + u] = sum;
    }
  }
  const output = computed(tape, [...x!.shape.slice(0, -1), units], y, (gradient) => {
    for (let r = 0; r < rows; r++) {
      for (let u = 0; u < units; u++) {
        const g = gradient[r * units + u]!;
        if (bias) {
          bias.gradient[u]! += g;
        }
        for (let i = 0; i < fanIn; i++) {
          kernel!.gradient[i * units + u]! += g * x!.data[r * fanIn + i]!;
          x!.gradient[r * fanIn + i]! += g * kernel!.data[i * units + u]!;
        }
      }
    }
  });
  return activate(tape, config.activation, output);
};

/** One axis of a sliding window: how many positions, and the input index of a tap (-1 in the padding). */
function slide(length: number, window: number, stride: number, dilation: number, padding: unknown) {
  const reach = (window - 1) * dilation + 1;
  const same = padding === 'same';
  const positions = same ? Math.ceil(length / stride) : Math.floor((length - reach) / stride) + 1;
  const before = same ? Math.floor(Math.max((positions - 1) * stride + reach - length, 0) / 2) : 0;
  const index = (position: number, tap: number) => {
    const i = position * stride - before + tap * dilation;
    return i >= 0 && i < length ? i : -1;
  };
  return { positions, index };
}

/** Calls `visit(position, tap, input)` with flat indices (of positions, of taps, of pixels) for each tap inside the image. */
function visitWindows(
  shape: readonly number[],
  window: readonly [number, number],
  strides: readonly [number, number],
  dilation: readonly [number, number],
  padding: unknown,
  visit: (position: number, tap: number, pixel: number) => void,
): [number, number] {
  const [height, width] = shape as [number, number];
  const rows = slide(height, window[0], strides[0], dilation[0], padding);
  const columns = slide(width, window[1], strides[1], dilation[1], padding);
  for (let r = 0; r < rows.positions; r++) {
    for (let c = 0; c < columns.positions; c++) {
      for (let i = 0; i < window[0]; i++) {
        for (let j = 0; j < window[1]; j++) {
          const y = rows.index(r, i);
          const x = columns.index(c, j);
          if (y >= 0 && x >= 0) {
            visit(r * columns.positions + c, i * window[1] + j, y * width + x);
          }
        }
      }
    }
  }
  return [rows.positions, columns.positions];
}

const conv2d: LayerValue = (tape, config, [x], { kernel, bias }) => {
  const [kernelHeight, kernelWidth, channels, filters] = kernel!.shape as [number, number, number, number];
  const taps: { position: number; tap: number; pixel: number }[] = [];
  const [rows, columns] = visitWindows(
    x!.shape,
    [kernelHeight, kernelWidth],
    numbers(config.strides),
    numbers(config.dilationRate ?? 1),
    config.padding,
    (position, tap, pixel) => taps.push({ position, tap, pixel }),
  );
  const y = new Float64Array(rows * columns * filters);
  if (bias) {
    for (let i = 0; i < y.length; i++) {
      y[i] = bias.data[i % filters]!;
    }
  }
  for (const { position, tap, pixel } of taps) {
    for (let c = 0; c < channels; c++) {
      const v = x!.data[pixel * channels + c]!;
      for (let f = 0; f < filters; f++) {
        y[position * filters + f]! += v * kernel!.data[(tap * channels + c) * filters + f]!;
      }
    }
  }
  const output = computed(tape, [rows, columns, filters], y, (gradient) => {
    if (bias) {
      for (let i = 0; i < gradient.length; i++) {
        bias.gradient[i % filters]! += gradient[i]!;
      }
    }
    for (const { position, tap, pixel } of taps) {
      for (let c = 0; c < channels; c++) {
        const v = x!.data[pixel * channels + c]!;
        let sum = 0;
        for (let f = 0; f < filters; f++) {
          const g = gradient[position * filters + f]!;
          const k = (tap * channels + c) * filters + f;
          kernel!.gradient[k]! += g * v;
          sum += g * kernel!.data[k]!;
        }
        x!.gradient[pixel * channels + c]! += sum;
      }
    }
  });
  return activate(tape, config.activation, output);
};

/** For each window and channel, the flat indices of the entries in it. */
function pooled(x: Value, config: Config): { shape: number[]; windows: number[][] } {
  const channels = x.shape[2]!;
  const window = numbers(config.poolSize);
  const windows: number[][] = [];
  const [rows, columns] = visitWindows(
    x.shape,
    window,
    numbers(config.strides ?? window),
    [1, 1],
    config.padding,
    (position, _tap, pixel) => {
      for (let c = 0; c < channels; c++) {
        windows[position * channels + c] ??= [];
        windows[position * channels + c]!.push(pixel * channels + c);
      }
    },
  );
  return { shape: [rows, columns, channels], windows };
}

/** All entries of a channel. */
function wholeChannels(x: Value): { shape: number[]; windows: number[][] } {
  const channels = x.shape.at(-1)!;
  const pixels = x.data.length / channels;
  const windows = Array.from({ length: channels }, (_, c) =>
    Array.from({ length: pixels }, (_, p) => p * channels + c),
  );
  return { shape: [channels], windows };
}

function maximum(tape: Tape, x: Value, { shape, windows }: { shape: number[]; windows: number[][] }): Value {
  const largest = largestEntry(x);
  const chosen = windows.map((window) => {
    const best = window.reduce((a, b) => (x.data[b]! > x.data[a]! ? b : a));
    for (const i of window) {
      noteKink(tape, x.data[best]! - x.data[i]!, largest);
    }
    return { part: 0, index: best };
  });
  return rearrange(tape, [x], shape, chosen);
}

function average(tape: Tape, x: Value, { shape, windows }: { shape: number[]; windows: number[][] }): Value {
  const y = Float64Array.from(windows, (window) => window.reduce((s, i) => s + x.data[i]!, 0) / window.length);
  return computed(tape, shape, y, (gradient) => {
    windows.forEach((window, w) => {
      for (const i of window) {
        x.gradient[i]! += gradient[w]! / window.length;
      }
    });
  });
}

const reshaped = (tape: Tape, x: Value, shape: readonly number[]) =>
  rearrange(
    tape,
    [x],
    shape,
    Array.from(x.data, (_, index) => ({ part: 0, index })),
  );

const zeroPadding: LayerValue = (tape, config, [x]) => {
  const [height, width, channels] = x!.shape as [number, number, number];
  const padding = config.padding as [[number, number], [number, number]];
  const [[top, bottom], [left, right]] = padding;
  const shape = [top + height + bottom, left + width + right, channels];
  const source: { part: number; index: number }[] = [];
  for (let r = -top; r < height + bottom; r++) {
    for (let c = -left; c < width + right; c++) {
      const inside = r >= 0 && r < height && c >= 0 && c < width;
      for (let k = 0; k < channels; k++) {
        source.push({ part: 0, index: inside ? (r * width + c) * channels + k : -1 });
      }
    }
  }
  return rearrange(tape, [x!], shape, source);
};

const batchNormalization: LayerValue = (tape, config, [x], weights) => {
  const channels = x!.shape.at(-1)!;
  const { gamma, beta } = weights;
  const mean = weights.moving_mean!.data;
  const variance = weights.moving_variance!.data;
  const normalized = x!.data.map(
    (v, i) => (v - mean[i % channels]!) / Math.sqrt(variance[i % channels]! + (config.epsilon as number)),
  );
  const y = normalized.map((v, i) => v * (gamma?.data[i % channels] ?? 1) + (beta?.data[i % channels] ?? 0));
  return computed(tape, x!.shape, y, (gradient) => {
    gradient.forEach((g, i) => {
      const c = i % channels;
      if (gamma) {
        gamma.gradient[c]! += g * normalized[i]!;
      }
      if (beta) {
        beta.gradient[c]! += g;
      }
      x!.gradient[i]! += (g * (gamma?.data[c] ?? 1)) / Math.sqrt(variance[c]! + (config.epsilon as number));
    });
  });
};

const add: LayerValue = (tape, _config, inputs) => {
  const y = new Float64Array(inputs[0]!.data.length);
  for (const x of inputs) {
    for (let i = 0; i < y.length; i++) {
      y[i]! += x.data[i]!;
    }
  }
  return computed(tape, inputs[0]!.shape, y, (gradient) => {
    for (const x of inputs) {
      for (let i = 0; i < gradient.length; i++) {
        x.gradient[i]! += gradient[i]!;
      }
    }
  });
};

/** Product of two inputs. */
const multiply: LayerValue = (tape, _config, [a, b]) =>
  computed(
    tape,
    a!.shape,
    a!.data.map((v, i) => v * b!.data[i]!),
    (gradient) => {
      gradient.forEach((g, i) => {
        a!.gradient[i]! += g * b!.data[i]!;
        b!.gradient[i]! += g * a!.data[i]!;
      });
    },
  );

const concatenate: LayerValue = (tape, config, inputs) => {
  const rank = inputs[0]!.shape.length;
  // The layer counts the batch axis, a sample has none.
  const axis = (config.axis as number) < 0 ? rank + (config.axis as number) : (config.axis as number) - 1;
  const outer = size(inputs[0]!.shape.slice(0, axis));
  const source: { part: number; index: number }[] = [];
  for (let o = 0; o < outer; o++) {
    inputs.forEach((x, part) => {
      const block = x.data.length / outer;
      for (let i = 0; i < block; i++) {
        source.push({ part, index: o * block + i });
      }
    });
  }
  const shape = inputs[0]!.shape.map((d, i) => (i === axis ? inputs.reduce((s, x) => s + x.shape[axis]!, 0) : d));
  return rearrange(tape, inputs, shape, source);
};

const identity: LayerValue = (_tape, _config, [x]) => x!;

/** What a layer of each class computes for one sample, in inference. */
export const layerValues: Readonly<Record<string, LayerValue>> = {
  Dense: dense,
  Conv2D: conv2d,
  MaxPooling2D: (tape, config, [x]) => maximum(tape, x!, pooled(x!, config)),
  AveragePooling2D: (tape, config, [x]) => average(tape, x!, pooled(x!, config)),
  GlobalMaxPooling2D: (tape, _config, [x]) => maximum(tape, x!, wholeChannels(x!)),
  GlobalAveragePooling2D: (tape, _config, [x]) => average(tape, x!, wholeChannels(x!)),
  Flatten: (tape, _config, [x]) => reshaped(tape, x!, [x!.data.length]),
  Reshape: (tape, config, [x]) => reshaped(tape, x!, config.targetShape as number[]),
  ZeroPadding2D: zeroPadding,
  Dropout: identity,
  Concatenate: concatenate,
  Add: add,
  Multiply: multiply,
  BatchNormalization: batchNormalization,
  Activation: (tape, config, [x]) => activate(tape, config.activation, x!),
  ReLU: (tape, config, [x]) => (config.maxValue == null ? leakyRelu(tape, x!, 0) : relu6(tape, x!)),
  LeakyReLU: (tape, config, [x]) => leakyRelu(tape, x!, config.alpha as number),
  Softmax: (tape, _config, [x]) => softmax(tape, x!),
};
