import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { isModel } from '../tfjs/model-graph.js';
import { lineOf } from '../warnings.js';
import { registerBuiltInLayers } from './built-in-layers.js';
import { type KerasWeight, readKerasArchive } from './keras-archive.js';
import { readTopology } from './keras-topology.js';
import { type ModelContent, readLayersModel } from './layers-model.js';
import { locate } from './place.js';

/** A model from its file. */
export interface FileModel {
  readonly model: tfl.LayersModel;
  /** `training_config` or `compile_config`, as the file has it. */
  readonly training: unknown;
  /** What tf.js computes otherwise than Keras, one sentence each. */
  readonly notes: readonly string[];
}

/** How a model is loaded. */
export interface LoadOptions {
  /** The weights are drawn as those of a new model, by this seed, and not read. */
  readonly randomWeights?: number;
}

type KerasWeights = ReadonlyMap<string, readonly KerasWeight[]>;

/**
 * Loads a model of layers: a `model.json` of tf.js or tensorflowjs_converter, a folder with one, or a `.keras` archive; by its path or
 * URL.
 *
 * @throws Error with one line that says what is wrong with the file.
 */
export async function loadModelFile(path: string, { randomWeights }: LoadOptions = {}): Promise<FileModel> {
  const withWeights = randomWeights === undefined;
  const { name, place } = locate(path, 'model.json');
  const bytes = await place.read(name);
  const begins = (...start: number[]) => start.every((byte, i) => bytes[i] === byte);
  if (begins(0x89, 0x48, 0x44, 0x46)) {
    throw new Error(
      `'${name}' is an HDF5 file: save the model as model.keras, or convert it with tensorflowjs_converter --input_format keras.`,
    );
  }
  if (/\.(pb|onnx|tflite|pth?|safetensors)$/i.test(name)) {
    throw new Error(`'${name}' is no model of tf.js layers or Keras: give a model.json or a .keras file.`);
  }
  let content: ModelContent;
  let kerasWeights: KerasWeights | undefined;
  if (begins(0x50, 0x4b, 3, 4) || name.endsWith('.keras')) {
    const { config, weights } = readKerasArchive(name, bytes, withWeights);
    content = { topology: config, training: config.compile_config };
    kerasWeights = weights;
  } else {
    content = await readLayersModel(name, place, bytes, withWeights);
  }
  const { model: topology, notes } = readTopology(content.topology, !withWeights);
  if (!withWeights) {
    seedInitializers(topology, randomWeights);
  }
  const model = await deserialize(topology, content.weights);
  if (kerasWeights) {
    try {
      giveWeights(model, kerasWeights, '');
    } catch (error) {
      disposeModel(model);
      throw error;
    }
  }
  return { model, training: content.training, notes };
}

async function deserialize(topology: object, weights: ModelContent['weights']): Promise<tfl.LayersModel> {
  registerBuiltInLayers();
  try {
    return await tfl.loadLayersModel({
      load: async () => ({
        modelTopology: topology,
        ...(weights && { weightSpecs: weights.specs, weightData: weights.data }),
      }),
    });
  } catch (error) {
    const line = lineOf(error);
    const unknown = /Unknown layer: (\S+?)\. /.exec(line)?.[1];
    throw new Error(
      unknown === undefined
        ? `tf.js cannot load it: ${line.slice(0, 400)}`
        : `it has a layer of class ${unknown}, which tf.js does not know: --require a module that registers it with tf.serialization.registerClass.`,
      { cause: error },
    );
  }
}

function giveWeights(model: tfl.LayersModel, weights: KerasWeights, path: string): void {
  for (const layer of model.layers) {
    if (isModel(layer)) {
      giveWeights(layer as unknown as tfl.LayersModel, weights, `${path}${layer.name}/`);
      continue;
    }
    const given = weights.get(`${path}${layer.name}`) ?? [];
    const shapes = layer.weights.map(({ shape }) => shape.join());
    if (shapes.length !== given.length || given.some(({ shape }, i) => shape.join() !== shapes[i])) {
      const list = (all: readonly string[]) => (all.length > 0 ? all.map((each) => `[${each}]`).join(', ') : 'none');
      throw new Error(
        `layer '${path}${layer.name}' has weights of shapes ${list(shapes)} in tf.js, but ${list(given.map(({ shape }) => shape.join()))} in the file.`,
      );
    }
    tf.tidy(() => layer.setWeights(given.map(({ shape, values }) => tf.tensor(values, [...shape]))));
  }
}

/** Frees all weights. `model.dispose` counts calls, and leaves those of a model that is called twice. */
export function disposeModel(model: tfl.LayersModel): void {
  for (const weight of new Set(model.weights)) {
    weight.dispose();
  }
}

/** Every initializer that draws gets a seed of its own. */
function seedInitializers(topology: unknown, seed: number): void {
  let next = 1000 * (seed + 1);
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) {
      return;
    }
    for (const [key, each] of Object.entries(value)) {
      if (/_initializer$/.test(key) && typeof each === 'object' && each !== null) {
        const { config } = each as { config?: { seed?: number } };
        if (config && 'seed' in config) {
          config.seed = next++;
        }
      }
      walk(each);
    }
  };
  walk(topology);
}
