import type { io } from '@tensorflow/tfjs-core';
import { isObject, type Json, parseJson } from './json-text.js';
import type { Place } from './place.js';

/** What a model's file holds, before tf.js has read it. */
export interface ModelContent {
  /** `{ class_name, config }`. */
  readonly topology: unknown;
  /** Weights by name with the bytes of all; undefined where they are not wanted. */
  readonly weights?: { readonly specs: io.WeightsManifestEntry[]; readonly data: ArrayBuffer };
  /** `training_config` or `compile_config`. */
  readonly training?: unknown;
}

const bytesOf: Readonly<Record<string, number>> = {
  float32: 4,
  float16: 2,
  int32: 4,
  uint8: 1,
  uint16: 2,
  bool: 1,
  complex64: 8,
};

/**
 * Reads a `model.json` of tf.js layers, as tf.js and tensorflowjs_converter write it, with its shards.
 *
 * @param withWeights whether the weights are wanted.
 * @throws Error with one line that says what is wrong: no JSON, a graph model, no weights, a shard that is missing, cut off or elsewhere.
 */
export async function readLayersModel(
  name: string,
  place: Place,
  bytes: Uint8Array,
  withWeights: boolean,
): Promise<ModelContent> {
  const file = parseJson(name, bytes);
  if (Array.isArray(file) && isObject(file[0]) && 'weights' in file[0] && 'paths' in file[0]) {
    throw new Error(`'${name}' lists weights, and does not say what the layers are: give the model.json of the model.`);
  }
  if (!isObject(file)) {
    throw new Error(`'${name}' is JSON, but not a model.`);
  }
  const whole = file.modelTopology ?? (file.class_name !== undefined ? file : undefined);
  if (file.format === 'graph-model' || (isObject(whole) && ('node' in whole || 'library' in whole))) {
    throw new Error(
      `'${name}' is a graph model, which has no layers to measure: convert the Keras model again with ` +
        'tensorflowjs_converter --output_format tfjs_layers_model.',
    );
  }
  if (!isObject(whole)) {
    throw new Error(`'${name}' has no modelTopology: it is not a model.json of tf.js.`);
  }
  const content = {
    topology: whole.model_config ?? whole,
    training: whole.training_config ?? file.trainingConfig ?? file.training_config,
  };
  if (!withWeights) {
    return content;
  }
  const shards: Uint8Array[] = [];
  const groups = weightGroups(name, file);
  for (const { paths, bytes: needed } of groups) {
    let found = 0;
    for (const path of paths) {
      const shard = await place.read(path);
      if (found === 0 && shard.length !== needed && isPage(shard)) {
        throw new Error(`'${path}' is not weights but a page of HTML: a server that has no such file may answer so.`);
      }
      shards.push(shard);
      found += shard.length;
    }
    if (found !== needed) {
      throw new Error(
        `${paths.map((path) => `'${path}'`).join(', ')}: ${found} bytes of weights, but '${name}' speaks of ${needed}: ` +
          `${found < needed ? 'cut off' : 'of another model'}; copy the files again.`,
      );
    }
  }
  return { ...content, weights: { specs: groups.flatMap(({ weights }) => weights), data: joined(shards) } };
}

/** Weights that lie in files of their own. */
export interface WeightGroup {
  readonly paths: readonly string[];
  readonly weights: io.WeightsManifestEntry[];
  /** How many all files have together. */
  readonly bytes: number;
}

/**
 * What a parsed model.json says of its weights.
 *
 * @throws Error with one line where it says nothing, or what it says is damaged.
 */
export function weightGroups(name: string, { weightsManifest }: Json): WeightGroup[] {
  if (!Array.isArray(weightsManifest) || weightsManifest.length === 0) {
    throw new Error(
      `'${name}' has no weightsManifest, so that its weights are missing: --random-weights measures it as it begins.`,
    );
  }
  return (weightsManifest as unknown[]).map((group) => {
    if (!isObject(group) || !Array.isArray(group.paths) || !Array.isArray(group.weights)) {
      throw new Error(`'${name}': its weightsManifest is damaged: every group has paths and weights.`);
    }
    const bytes = (group.weights as unknown[]).reduce<number>((sum, weight) => sum + sizeOf(name, weight), 0);
    const broken = (group.paths as unknown[]).findIndex((path) => typeof path !== 'string' || path === '');
    if (broken >= 0) {
      throw new Error(`'${name}': its weightsManifest is damaged: a path is ${JSON.stringify(group.paths[broken])}.`);
    }
    return { paths: group.paths as string[], weights: group.weights as io.WeightsManifestEntry[], bytes };
  });
}

const isPage = (bytes: Uint8Array) => /^\s*<(!doctype|html)/i.test(new TextDecoder().decode(bytes.subarray(0, 64)));

function sizeOf(name: string, weight: unknown): number {
  const { shape, dtype, quantization } = (isObject(weight) ? weight : {}) as Json;
  const stored = isObject(quantization) ? quantization.dtype : dtype;
  const each = Object.hasOwn(bytesOf, String(stored)) ? bytesOf[String(stored)] : undefined;
  if (
    !isObject(weight) ||
    typeof weight.name !== 'string' ||
    each === undefined ||
    !Array.isArray(shape) ||
    !shape.every((size) => Number.isSafeInteger(size) && size >= 0)
  ) {
    throw new Error(`'${name}': its weightsManifest is damaged: a weight is ${JSON.stringify(weight)?.slice(0, 80)}.`);
  }
  return (shape as number[]).reduce((product, size) => product * size, each);
}

function joined(parts: readonly Uint8Array[]): ArrayBuffer {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole.buffer;
}
