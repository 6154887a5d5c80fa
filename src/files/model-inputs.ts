import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { callsOf, inputNames, isModel } from '../tfjs/model-graph.js';
import { firstSamples, namesOf, type Samples } from './samples.js';

/**
 * Puts arrays of files in the order of the model's inputs, as tensors in their shapes: axes of length 1 are added or left out, and flat
 * samples are given the shape of the input.
 *
 * @param arrays by input name; of a model with one input, its only one by any name; arr_0, arr_1, ... in order.
 * @param limit how many samples at most.
 * @param scale what the numbers are multiplied by.
 * @returns [N, ...] each; the caller disposes them.
 * @throws Error with one line for an input without an array, or one of another shape.
 */
export function modelInputs(
  model: tfl.LayersModel,
  arrays: ReadonlyMap<string, Samples>,
  limit: number,
  scale = 1,
): tf.Tensor[] {
  const names = inputNames(model);
  const chosen = names.map((name, i) => {
    const found = arrays.get(name) ?? (arrays.size === names.length ? inOrder(arrays, names, i) : undefined);
    if (!found) {
      throw new Error(
        `the data have no array for the input '${name}', only ${namesOf(arrays)}: --data ${name}=FILE names one, and FILE.npz#ARRAY one of several.`,
      );
    }
    return fitted(name, firstSamples(found, limit), model.inputs[i]!.shape);
  });
  return chosen.map(({ shape, values }) =>
    tf.tensor(scale === 1 ? values : values.map((each) => each * scale), [...shape]),
  );
}

function inOrder(arrays: ReadonlyMap<string, Samples>, names: readonly string[], i: number): Samples | undefined {
  return names.length === 1 ? [...arrays.values()][0] : arrays.get(`arr_${i}`);
}

function fitted(name: string, samples: Samples, input: tfl.Shape): Samples {
  const [count, ...given] = samples.shape as [number, ...number[]];
  const wanted = input.slice(1);
  const fits = given.length === wanted.length && wanted.every((size, i) => size === null || size === given[i]);
  if (fits) {
    return samples;
  }
  const others = (shape: readonly (number | null)[]) => shape.filter((size) => size !== 1).join();
  const size = given.reduce((product, each) => product * each, 1);
  const isKnown = wanted.every((each) => each !== null);
  const isFlat = given.length === 1 || wanted.length === 1;
  if (
    isKnown &&
    (others(given) === others(wanted) ||
      (isFlat && size === (wanted as number[]).reduce((product, each) => product * each, 1)))
  ) {
    return { shape: [count, ...(wanted as number[])], values: samples.values };
  }
  throw new Error(
    `the data for '${name}' have shape [${samples.shape.join(', ')}], but the model takes [${input.map((each) => each ?? 'any').join(', ')}]: samples come first.`,
  );
}

/**
 * Samples drawn at random: from the normal distribution, and for an Embedding whole numbers of its vocabulary.
 *
 * @param seed the same gives the same samples.
 * @returns [N, ...] each; the caller disposes them.
 * @throws Error with one line for an input of open shape.
 */
export function randomInputs(model: tfl.LayersModel, samples: number, seed: number): tf.Tensor[] {
  const names = inputNames(model);
  return model.inputs.map((input, i) => {
    const [, ...inner] = input.shape;
    if (inner.some((size) => size === null)) {
      throw new Error(
        `the input '${names[i]}' has the open shape [${input.shape.map((each) => each ?? 'any').join(', ')}]: give --data instead of --random.`,
      );
    }
    const shape = [samples, ...(inner as number[])];
    const words = vocabularyOf(model, input);
    return words !== undefined
      ? tf.tidy(() => tf.floor(tf.randomUniform(shape, 0, words, 'float32', seed + i + 1)))
      : tf.randomNormal(shape, 0, 1, 'float32', seed + i + 1);
  });
}

/** How many words an Embedding knows that reads an input, also in a model that is called on it. */
function vocabularyOf({ layers }: Pick<tfl.LayersModel, 'layers'>, input: tfl.SymbolicTensor): number | undefined {
  for (const layer of layers) {
    // A layer that is called several times has an input of each call.
    for (const { inputs } of callsOf(layer)) {
      const place = inputs.findIndex(({ name }) => name === input.name);
      const inner = place >= 0 && isModel(layer) ? layer : undefined;
      const found = inner
        ? vocabularyOf(inner as unknown as tfl.LayersModel, inner.inputs[place]!)
        : place >= 0 && layer.getClassName() === 'Embedding'
          ? (layer.getConfig().inputDim as number)
          : undefined;
      if (found !== undefined) {
        return found;
      }
    }
  }
  return undefined;
}
