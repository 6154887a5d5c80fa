import type * as tfl from '@tensorflow/tfjs-layers';

/*
 * Layers in plain loops over float64, one sample at a time: they share nothing with tf.js, so that they can judge its
 * kernels. Only values: derivatives come from differences.
 */

/** A tensor of one sample, without batch axis, row-major. */
export interface Plain {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** A layer's weights by the last part of their names: `kernel`, `bias`, ... */
export type PlainWeights = Readonly<Record<string, Plain>>;
export type PlainLayer = (inputs: readonly Plain[], weights: PlainWeights, layer: tfl.layers.Layer) => Plain;

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** A tensor by its entries. */
export function build(shape: readonly number[], entry: (index: readonly number[]) => number): Plain {
  const data = new Float64Array(size(shape));
  const index = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = entry(index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]! += 1;
      if (index[axis]! < shape[axis]!) {
        break;
      }
      index[axis] = 0;
    }
  }
  return { shape, data };
}

function at({ shape, data }: Plain, index: readonly number[]): number {
  let offset = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    offset = offset * shape[axis]! + index[axis]!;
  }
  return data[offset]!;
}

function reshaped({ data }: Plain, shape: readonly number[]): Plain {
  return { shape, data };
}

function each(shape: readonly number[], visit: (index: readonly number[]) => void): void {
  build(shape, (index) => {
    visit(index);
    return 0;
  });
}

function transposed(x: Plain, order: readonly number[]): Plain {
  return build(
    order.map((axis) => x.shape[axis]!),
    (index) => {
      const from = [...index];
      order.forEach((axis, i) => {
        from[axis] = index[i]!;
      });
      return at(x, from);
    },
  );
}

/** A layer with the channels first, by what it does with the channels last. */
export function withChannelsFirst(layer: PlainLayer): PlainLayer {
  return (inputs, weights, options) => {
    const y = layer(
      inputs.map((x) => transposed(x, [...x.shape.slice(1).map((_, i) => i + 1), 0])),
      weights,
      options,
    );
    const last = y.shape.length - 1;
    return transposed(y, [last, ...y.shape.slice(1).map((_, i) => i)]);
  };
}

interface Windows {
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: string;
}

const windowsOf = (layer: tfl.layers.Layer, rank: number, dilated: boolean): Windows => {
  const options = layer as unknown as {
    kernelSize: number[];
    strides: number[];
    padding: string;
    dilationRate: number[];
  };
  const ones = Array<number>(rank).fill(1);
  return { ...options, dilation: dilated ? [...[options.dilationRate].flat(), ...ones].slice(0, rank) : ones };
};

/** For one axis: the number of positions, and where the first window begins. */
function slide(length: number, axis: number, { kernelSize, strides, dilation, padding }: Windows) {
  const reach = (kernelSize[axis]! - 1) * dilation[axis]! + 1;
  if (padding === 'valid') {
    return { positions: Math.floor((length - reach) / strides[axis]!) + 1, before: 0 };
  }
  const positions = Math.ceil(length / strides[axis]!);
  return { positions, before: Math.floor(Math.max((positions - 1) * strides[axis]! + reach - length, 0) / 2) };
}

/** Calls `visit(position, tap, pixel)` for every tap of every window that lies inside of a tensor of spatial shape `shape`. */
function visitTaps(
  shape: readonly number[],
  windows: Windows,
  visit: (position: readonly number[], tap: readonly number[], pixel: readonly number[]) => void,
): number[] {
  const slides = shape.map((length, axis) => slide(length, axis, windows));
  const positions = slides.map((axis) => axis.positions);
  each(positions, (position) => {
    const p = [...position];
    each(windows.kernelSize, (tap) => {
      const pixel = tap.map(
        (t, axis) => p[axis]! * windows.strides[axis]! - slides[axis]!.before + t * windows.dilation[axis]!,
      );
      if (pixel.every((i, axis) => i >= 0 && i < shape[axis]!)) {
        visit(p, tap, pixel);
      }
    });
  });
  return positions;
}

/** A tensor that entries are added to. */
function sums(shape: readonly number[]) {
  const data = new Float64Array(size(shape));
  return {
    value: { shape, data } as Plain,
    add(index: readonly number[], amount: number) {
      let offset = 0;
      for (let axis = 0; axis < shape.length; axis++) {
        offset = offset * shape[axis]! + index[axis]!;
      }
      data[offset]! += amount;
    },
  };
}

function biased(x: Plain, bias: Plain | undefined): Plain {
  return bias ? { shape: x.shape, data: x.data.map((v, i) => v + bias.data[i % bias.data.length]!) } : x;
}

const relu = (x: Plain): Plain => ({ shape: x.shape, data: x.data.map((v) => Math.max(v, 0)) });

function activated(x: Plain, layer: tfl.layers.Layer): Plain {
  const { activation } = layer as unknown as { activation?: { getClassName(): string } };
  const name = activation?.getClassName() ?? 'linear';
  if (name !== 'linear' && name !== 'relu') {
    throw new Error(`no plain ${name}`);
  }
  return name === 'relu' ? relu(x) : x;
}

/** Convolution over all axes but the last. */
export const convolution: PlainLayer = ([x], { kernel, bias }, layer) => {
  const rank = x!.shape.length - 1;
  const spatial = x!.shape.slice(0, rank);
  const [fanIn, fanOut] = kernel!.shape.slice(rank) as [number, number];
  const windows = windowsOf(layer, rank, true);
  const positions = visitTaps(spatial, windows, () => {});
  const y = sums([...positions, fanOut]);
  visitTaps(spatial, windows, (position, tap, pixel) => {
    for (let i = 0; i < fanIn; i++) {
      for (let o = 0; o < fanOut; o++) {
        y.add([...position, o], at(x!, [...pixel, i]) * at(kernel!, [...tap, i, o]));
      }
    }
  });
  return activated(biased(y.value, bias), layer);
};

/** Every input pixel adds its multiple of the kernel to the output, as the windows of a convolution from there to here lie. */
export const transposedConvolution: PlainLayer = ([x], { kernel, bias }, layer) => {
  const rank = x!.shape.length - 1;
  const [fanOut, fanIn] = kernel!.shape.slice(rank) as [number, number];
  const windows = windowsOf(layer, rank, false);
  const spatial = x!.shape
    .slice(0, rank)
    .map((n, axis) =>
      windows.padding === 'same'
        ? n * windows.strides[axis]!
        : n * windows.strides[axis]! + Math.max(windows.kernelSize[axis]! - windows.strides[axis]!, 0),
    );
  const y = sums([...spatial, fanOut]);
  visitTaps(spatial, windows, (position, tap, pixel) => {
    for (let i = 0; i < fanIn; i++) {
      for (let o = 0; o < fanOut; o++) {
        y.add([...pixel, o], at(x!, [...position, i]) * at(kernel!, [...tap, o, i]));
      }
    }
  });
  return activated(biased(y.value, bias), layer);
};

function depthwise(x: Plain, kernel: Plain, windows: Windows): Plain {
  const [, , channels, multiplier] = kernel.shape as [number, number, number, number];
  const spatial = x.shape.slice(0, 2);
  const y = sums([...visitTaps(spatial, windows, () => {}), channels * multiplier]);
  visitTaps(spatial, windows, (position, tap, pixel) => {
    for (let c = 0; c < channels; c++) {
      for (let m = 0; m < multiplier; m++) {
        y.add([...position, c * multiplier + m], at(x, [...pixel, c]) * at(kernel, [...tap, c, m]));
      }
    }
  });
  return y.value;
}

export const depthwiseConvolution: PlainLayer = ([x], weights, layer) =>
  activated(biased(depthwise(x!, weights.depthwise_kernel!, windowsOf(layer, 2, false)), weights.bias), layer);

/** The last axis of x times a matrix. */
function product(x: Plain, matrix: Plain): Plain {
  const [fanIn, fanOut] = matrix.shape.slice(-2) as [number, number];
  return build([...x.shape.slice(0, -1), fanOut], (index) => {
    let sum = 0;
    for (let i = 0; i < fanIn; i++) {
      sum += at(x, [...index.slice(0, -1), i]) * matrix.data[i * fanOut + index[index.length - 1]!]!;
    }
    return sum;
  });
}

export const separableConvolution: PlainLayer = ([x], weights, layer) => {
  const between = depthwise(x!, weights.depthwise_kernel!, windowsOf(layer, 2, true));
  return activated(biased(product(between, weights.pointwise_kernel!), weights.bias), layer);
};

export const dense: PlainLayer = ([x], { kernel, bias }, layer) => activated(biased(product(x!, kernel!), bias), layer);

export const layerNormalization: PlainLayer = ([x], { gamma, beta }, layer) => {
  const { axis, epsilon } = layer as unknown as { axis: number[]; epsilon: number };
  const axes = axis.map((a) => a - 1);
  const rows = new Map<string, number[]>();
  const rowOf = (index: readonly number[]) => index.filter((_, i) => !axes.includes(i)).join();
  each(x!.shape, (index) => {
    rows.set(rowOf(index), [...(rows.get(rowOf(index)) ?? []), at(x!, index)]);
  });
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  return build(x!.shape, (index) => {
    const row = rows.get(rowOf(index))!;
    const centre = mean(row);
    const normalized = (at(x!, index) - centre) / Math.sqrt(mean(row.map((v) => (v - centre) ** 2)) + epsilon);
    const place = index.reduce((sum, i, a) => (axes.includes(a) ? sum * x!.shape[a]! + i : sum), 0);
    return normalized * (gamma ? gamma.data[place]! : 1) + (beta ? beta.data[place]! : 0);
  });
};

/** As in inference, with the weights of the channel that an entry belongs to. */
function normalized(channelOf: (index: readonly number[], x: Plain, layer: tfl.layers.Layer) => number): PlainLayer {
  return ([x], weights, layer) => {
    const { epsilon } = layer as unknown as { epsilon: number };
    return build(x!.shape, (index) => {
      const channel = channelOf(index, x!, layer);
      const read = (name: string, otherwise: number) => weights[name]?.data[channel] ?? otherwise;
      const deviation = Math.sqrt(read('moving_variance', 1) + epsilon);
      return ((at(x!, index) - read('moving_mean', 0)) / deviation) * read('gamma', 1) + read('beta', 0);
    });
  };
}

export const batchNormalization = normalized((index, { shape }, layer) => {
  const axis = Number((layer as unknown as { axis: number | string | number[] }).axis);
  return index[axis < 0 ? shape.length + axis : axis - 1]!;
});

/** With weights that begin again at their end, from entry to entry. */
export const batchNormalizationByElement = normalized((index, { shape }, layer) => {
  const place = index.reduce((offset, i, axis) => offset * shape[axis]! + i, 0);
  return place % size(layer.weights[0]!.shape as number[]);
});

export const embedding: PlainLayer = ([x], { embeddings }) =>
  build([...x!.shape, embeddings!.shape[1]!], (index) =>
    at(embeddings!, [Math.trunc(at(x!, index.slice(0, -1))), index[index.length - 1]!]),
  );

export const prelu: PlainLayer = ([x], { alpha }) =>
  build(x!.shape, (index) => {
    const value = at(x!, index);
    return value > 0
      ? value
      : value *
          at(
            alpha!,
            index.map((i, axis) => (alpha!.shape[axis] === 1 ? 0 : i)),
          );
  });

/** The layer inside at every time step. */
export function timeDistributed(inside: PlainLayer): PlainLayer {
  return ([x], weights, layer) => {
    const [steps, ...shape] = x!.shape as [number, ...number[]];
    const length = size(shape);
    const outputs = Array.from({ length: steps }, (_, t) =>
      inside(
        [{ shape, data: x!.data.slice(t * length, (t + 1) * length) }],
        weights,
        (layer as unknown as { layer: tfl.layers.Layer }).layer,
      ),
    );
    return { shape: [steps, ...outputs[0]!.shape], data: Float64Array.from(outputs.flatMap(({ data }) => [...data])) };
  };
}

/** Pooling over all axes but the last: what a window holds -> one number. */
export function pooling(reduce: (entries: number[]) => number): PlainLayer {
  return ([x], _weights, anyLayer) => {
    const { poolSize, ...layer } = anyLayer as unknown as { poolSize: number[]; strides: number[]; padding: string };
    const spatial = x!.shape.slice(0, -1);
    const channels = x!.shape[spatial.length]!;
    const windows = { ...layer, kernelSize: poolSize, dilation: poolSize.map(() => 1) };
    const entries = new Map<string, number[]>();
    const positions = visitTaps(spatial, windows, (position, _tap, pixel) => {
      for (let c = 0; c < channels; c++) {
        const key = [...position, c].join();
        entries.set(key, [...(entries.get(key) ?? []), at(x!, [...pixel, c])]);
      }
    });
    return build([...positions, channels], (index) => reduce(entries.get(index.join())!));
  };
}

export const largest = (entries: number[]) => Math.max(...entries);
export const mean = (entries: number[]) => entries.reduce((a, b) => a + b, 0) / entries.length;

export const masking: PlainLayer = ([x], _weights, layer) => {
  const { maskValue } = layer as tfl.layers.Layer & { maskValue: number };
  const features = x!.shape.at(-1)!;
  return build(x!.shape, (index) => {
    const row = Array.from({ length: features }, (_, c) => at(x!, [...index.slice(0, -1), c]));
    return row.some((value) => value !== maskValue) ? at(x!, index) : 0;
  });
};

export const upSampling: PlainLayer = ([x], _weights, layer) => {
  const options = layer as unknown as { size: [number, number]; interpolation: string };
  const [height, width, channels] = x!.shape as [number, number, number];
  return build([height * options.size[0], width * options.size[1], channels], ([i, j, c]) => {
    const [row, column] = [i! / options.size[0], j! / options.size[1]];
    const [top, left] = [Math.floor(row), Math.floor(column)];
    if (options.interpolation === 'nearest') {
      return at(x!, [top, left, c!]);
    }
    const [bottom, right] = [Math.min(top + 1, height - 1), Math.min(left + 1, width - 1)];
    const [down, across] = [row - top, column - left];
    const upper = at(x!, [top, left, c!]) * (1 - across) + at(x!, [top, right, c!]) * across;
    const lower = at(x!, [bottom, left, c!]) * (1 - across) + at(x!, [bottom, right, c!]) * across;
    return upper * (1 - down) + lower * down;
  });
};

export const cropping: PlainLayer = ([x], _weights, layer) => {
  const [[top, bottom], [left, right]] = (layer as unknown as { cropping: [[number, number], [number, number]] })
    .cropping;
  const [height, width, channels] = x!.shape as [number, number, number];
  return build([height - top - bottom, width - left - right, channels], ([i, j, c]) =>
    at(x!, [i! + top, j! + left, c!]),
  );
};

export const permute: PlainLayer = ([x], _weights, layer) =>
  transposed(
    x!,
    (layer as unknown as { dims: number[] }).dims.map((d) => d - 1),
  );

export const repeatVector: PlainLayer = ([x], _weights, layer) =>
  build([(layer as unknown as { n: number }).n, ...x!.shape], (index) => at(x!, index.slice(1)));

export const flattenChannelsFirst: PlainLayer = ([x]) => {
  const y = transposed(x!, [...x!.shape.slice(1).map((_, i) => i + 1), 0]);
  return reshaped(y, [y.data.length]);
};

/** Over the last axis. */
export const softmax: PlainLayer = ([x]) => {
  const classes = x!.shape[x!.shape.length - 1]!;
  const data = x!.data.map(Math.exp);
  return {
    shape: x!.shape,
    data: data.map((v, i) => {
      const start = i - (i % classes);
      return v / data.subarray(start, start + classes).reduce((a, b) => a + b, 0);
    }),
  };
};

export const multiHot: PlainLayer = ([x], _weights, layer) =>
  build([(layer as unknown as { numTokens: number }).numTokens], ([k]) =>
    x!.data.some((v) => Math.trunc(v) === k) ? 1 : 0,
  );

/** Element by element, with axes of length 1 repeated, and missing axes in front. */
export function merge(combine: (values: number[]) => number): PlainLayer {
  return (inputs) => {
    const rank = Math.max(...inputs.map(({ shape }) => shape.length));
    const full = inputs.map((x) => reshaped(x, [...Array(rank - x.shape.length).fill(1), ...x.shape]));
    const shape = Array.from({ length: rank }, (_, axis) => Math.max(...full.map((x) => x.shape[axis]!)));
    return build(shape, (index) =>
      combine(
        full.map((x) =>
          at(
            x,
            index.map((i, axis) => (x.shape[axis] === 1 ? 0 : i)),
          ),
        ),
      ),
    );
  };
}

/** Sum over axis `axes[i]` (counted with the batch axis) of input i. */
export function dot(axes: readonly [number, number], normalize = false): PlainLayer {
  return (inputs) => {
    const [x, y] = inputs.map((input, i) => {
      const axis = axes[i]! - 1;
      const others = input.shape.map((_, a) => a).filter((a) => a !== axis);
      const rows = transposed(input, [...others, axis]);
      const length = input.shape[axis]!;
      const flat = reshaped(rows, [rows.data.length / length, length]);
      if (!normalize) {
        return flat;
      }
      return build(flat.shape, ([r, k]) => {
        const row = flat.data.subarray(r! * length, (r! + 1) * length);
        return row[k!]! / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
      });
    }) as [Plain, Plain];
    const z = build([x.shape[0]!, y.shape[0]!], ([i, j]) => {
      let sum = 0;
      for (let k = 0; k < x.shape[1]!; k++) {
        sum += at(x, [i!, k]) * at(y, [j!, k]);
      }
      return sum;
    });
    const kept = [x, y].filter(({ shape }) => shape[0]! > 1).map(({ shape }) => shape[0]!);
    return reshaped(z, kept.length > 0 ? kept : [1]);
  };
}

const hardSigmoid = (x: number) => Math.min(Math.max(0.2 * x + 0.5, 0), 1);
const row = (data: Float64Array): Plain => ({ shape: [data.length], data });

/** Steps of a recurrent layer: (input, state) -> state, of which the first entry is the output. */
type Cell = (x: Plain, state: Float64Array[], weights: PlainWeights) => Float64Array[];

const gates = (x: Plain, h: Float64Array, { kernel, recurrent_kernel, bias }: PlainWeights) => {
  const own = product(x, kernel!).data;
  const recurrent = product(row(h), recurrent_kernel!).data;
  return own.map((v, i) => v + recurrent[i]! + bias!.data[i]!);
};

export const simpleCell: Cell = (x, [h], weights) => [gates(x, h!, weights).map(Math.tanh)];

/** Gates z, r, candidate; with `resetAfter` false: the candidate sees r h. */
export const gruCell: Cell = (x, [h], weights) => {
  const { kernel, recurrent_kernel, bias } = weights as Record<string, Plain>;
  const units = h!.length;
  const own = product(x, kernel!).data.map((v, i) => v + bias!.data[i]!);
  const recurrent = product(row(h!), recurrent_kernel!).data;
  const z = h!.map((_, i) => hardSigmoid(own[i]! + recurrent[i]!));
  const r = h!.map((_, i) => hardSigmoid(own[units + i]! + recurrent[units + i]!));
  const reset = product(row(h!.map((v, i) => v * r[i]!)), recurrent_kernel!).data;
  return [h!.map((v, i) => z[i]! * v + (1 - z[i]!) * Math.tanh(own[2 * units + i]! + reset[2 * units + i]!))];
};

/** Gates i, f, c, o. */
export const lstmCell: Cell = (x, [h, c], weights) => {
  const all = gates(x, h!, weights);
  const units = h!.length;
  const gate = (which: number, i: number) => hardSigmoid(all[which * units + i]!);
  const cell = c!.map((v, i) => gate(1, i) * v + gate(0, i) * Math.tanh(all[2 * units + i]!));
  return [cell.map((v, i) => gate(3, i) * Math.tanh(v)), cell];
};

/** The last output of a cell that runs over the first axis. */
export function recurrent(cell: Cell, states: number): PlainLayer {
  return ([x], weights) => {
    const units = weights.recurrent_kernel!.shape[0]!;
    const [steps, width] = x!.shape as [number, number];
    let state: Float64Array[] = Array.from({ length: states }, () => new Float64Array(units));
    for (let t = 0; t < steps; t++) {
      state = cell(row(x!.data.slice(t * width, (t + 1) * width)), state, weights);
    }
    return row(state[0]!);
  };
}
