import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

/** The losses that golden cases are stated for. */
export type GoldenLoss = 'categoricalCrossentropy' | 'softmaxCrossEntropy' | 'binaryCrossentropy' | 'meanSquaredError';

/** One case of `test/fixtures/golden`, see the README there. */
export interface GoldenCase {
  readonly name: string;
  readonly loss: GoldenLoss;
  readonly samples: number;
  readonly seed: number;
  readonly topology: object;
  readonly weights: readonly { readonly name: string; readonly shape: number[] }[];
  readonly expected: {
    readonly logits0: readonly number[];
    readonly ggnTrace: Readonly<Record<string, number>>;
    /** Missing where it was not computed: the network is piecewise linear and the two traces are the same. */
    readonly hessianTrace?: Readonly<Record<string, number>>;
    readonly total: number;
    readonly minimumSharpness: number;
    readonly alpha: Readonly<Record<string, number>>;
  };
}

const fixtures = new URL('../fixtures/golden/', import.meta.url);

export function goldenCases(): GoldenCase[] {
  return ['cases.json', 'paper-nets.json'].flatMap(
    (file) => JSON.parse(readFileSync(new URL(file, fixtures), 'utf8')) as GoldenCase[],
  );
}

/** The generator of the golden README: n numbers of [0, 1). */
export function lcg(seed: number, n: number): number[] {
  let x = seed >>> 0;
  return Array.from({ length: n }, () => {
    x = (Math.imul(1664525, x) + 1013904223) >>> 0;
    return x / 2 ** 32;
  });
}

/** Values of one weight tensor, by the rule that the golden README gives for its name. */
export function goldenWeight(name: string, shape: readonly number[], seed: number): Float32Array {
  const u = lcg(
    seed,
    shape.reduce((a, b) => a * b, 1),
  );
  const kind = name.slice(name.lastIndexOf('/') + 1);
  const [height = 1, width = 1] = shape;
  const fanIn = kind === 'depthwise_kernel' ? height * width : shape.slice(0, -1).reduce((a, b) => a * b, 1);
  const value =
    kind === 'kernel' || kind === 'depthwise_kernel'
      ? (v: number) => (v - 0.5) * 2 * Math.sqrt(6 / fanIn)
      : kind === 'gamma' || kind === 'moving_variance'
        ? (v: number) => 0.5 + v
        : (v: number) => (v - 0.5) * 0.4;
  return Float32Array.from(u, value);
}

/** Gives every weight of a model its golden values; `seed` as in the README. */
export function setGoldenWeights(model: tfl.LayersModel, seed: number): void {
  tf.tidy(() =>
    model.setWeights(
      model.weights.map((w, j) =>
        tf.tensor(goldenWeight(w.originalName, w.shape as number[], seed + 1 + j), w.shape as number[], 'float32'),
      ),
    ),
  );
}

/** The model of a case, with its weights. */
export async function goldenModel(golden: GoldenCase): Promise<tfl.LayersModel> {
  const model = await tfl.models.modelFromJSON({ modelTopology: golden.topology } as Parameters<
    typeof tfl.models.modelFromJSON
  >[0]);
  const names = model.weights.map((w) => w.originalName);
  const expected = golden.weights.map((w) => w.name);
  if (names.join() !== expected.join()) {
    throw new Error(`${golden.name}: weights are ${names.join()}, the case was made for ${expected.join()}`);
  }
  setGoldenWeights(model, golden.seed);
  return model;
}

/** The inputs of a case, [samples, ...inputShape]: generated, or real images for the paper's networks. */
export function goldenInputs(golden: GoldenCase, model: tfl.LayersModel): tf.Tensor {
  const shape = [golden.samples, ...(model.inputs[0]!.shape.slice(1) as number[])];
  const size = shape.reduce((a, b) => a * b, 1);
  if (golden.name.startsWith('paper-')) {
    return tf.tensor(
      Float32Array.from(trainingPixels(size), (p) => p / 255),
      shape,
    );
  }
  return tf.tensor(
    Float32Array.from(lcg(golden.seed, size), (u) => (u - 0.5) * 2),
    shape,
  );
}

/** The first `count` pixels of the training images, an IDX file: 16 bytes of header, then one byte a pixel. */
function trainingPixels(count: number): Uint8Array {
  const file = new URL('../../examples/data/mnist5k-train-images.idx3.gz', import.meta.url);
  return gunzipSync(readFileSync(file)).subarray(16, 16 + count);
}
