import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { isModel } from '../tfjs/model-graph.js';
import { addTensorMethods } from '../tfjs/tensor-methods.js';
import { allVariables } from '../tfjs/weights.js';
import { lineOf } from '../warnings.js';
import { registerBuiltInLayers } from './built-in-layers.js';
import { isHdf5 } from './hdf5.js';
import { readKerasArchive } from './keras-archive.js';
import { readKerasHdf5 } from './keras-hdf5.js';
import { readTopology } from './keras-topology.js';
import { giveWeights, type KerasWeights } from './keras-weights.js';
import { type ModelContent, readLayersModel } from './layers-model.js';
import { locate, watched } from './place.js';

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
  /** Whether the weights do not matter: they are 0, and not read. */
  readonly withoutWeights?: boolean;
  /** Is given the bytes of every file that is read. */
  readonly onRead?: (name: string, bytes: Uint8Array) => void;
}

/**
 * Loads a model of layers: a `model.json` of tf.js or tensorflowjs_converter, a folder with one, a `.keras` archive, or an `.h5` file of
 * Keras; by its path or URL.
 *
 * @throws Error with one line that says what is wrong with the file.
 */
export async function loadModelFile(path: string, options: LoadOptions = {}): Promise<FileModel> {
  return buildModel(await readModelFile(path, options));
}

/** What a model's file says, before tf.js is asked to make the model. */
export interface ReadModel {
  /** As tf.js reads it. */
  readonly topology: object;
  readonly training: unknown;
  readonly notes: readonly string[];
  readonly weights?: KerasWeights | ModelContent['weights'];
}

/**
 * The first half of `loadModelFile`, which needs no backend.
 *
 * @throws Error with one line that says what is wrong with the file.
 */
export async function readModelFile(path: string, options: LoadOptions = {}): Promise<ReadModel> {
  const { randomWeights, withoutWeights = false, onRead } = options;
  const withWeights = randomWeights === undefined && !withoutWeights;
  const { name, place: unwatched } = locate(path, 'model.json');
  const place = watched(unwatched, onRead);
  const bytes = await place.read(name);
  const begins = (...start: number[]) => start.every((byte, i) => bytes[i] === byte);
  if (/\.(pb|onnx|tflite|pth?|safetensors)$/i.test(name)) {
    throw new Error(`'${name}' is no model of tf.js layers or Keras: give a model.json, a .keras or an .h5 file.`);
  }
  let content: ModelContent;
  let kerasWeights: KerasWeights | undefined;
  if (begins(0x50, 0x4b, 3, 4) || name.endsWith('.keras')) {
    const { config, weights } = readKerasArchive(name, bytes, withWeights);
    content = { topology: config, training: config.compile_config };
    kerasWeights = weights;
  } else if (isHdf5(bytes)) {
    const { config, training, weights } = readKerasHdf5(name, bytes, withWeights);
    content = { topology: config, training };
    kerasWeights = weights;
  } else {
    content = await readLayersModel(name, place, bytes, withWeights);
  }
  const { model: topology, notes } = readTopology(content.topology, randomWeights !== undefined);
  if (randomWeights !== undefined) {
    seedInitializers(topology, randomWeights);
  }
  return { topology, training: content.training, notes, weights: kerasWeights ?? content.weights };
}

/**
 * The second half of `loadModelFile`.
 *
 * @throws Error with one line where tf.js cannot make such a model, or its weights do not fit.
 */
export async function buildModel({ topology, training, notes, weights }: ReadModel): Promise<FileModel> {
  addTensorMethods();
  const model = await deserialize(topology);
  try {
    if (weights && 'specs' in weights) {
      giveManifest(model, weights);
    } else if (weights) {
      giveWeights(model, weights);
    }
    return { model, training, notes: [...notes, ...unlikeKeras(model)] };
  } catch (error) {
    disposeModel(model);
    throw error;
  }
}

async function deserialize(topology: object): Promise<tfl.LayersModel> {
  registerBuiltInLayers();
  let before = new Set<tf.Variable>();
  try {
    return await tfl.loadLayersModel({
      load: async () => {
        before = new Set(allVariables());
        return { modelTopology: topology };
      },
    });
  } catch (error) {
    tf.dispose(allVariables().filter((variable) => !before.has(variable)));
    const line = lineOf(error);
    const [, kind, unknown] = /Unknown (layer|activation): (\S+?)\. /.exec(line) ?? [];
    const what = kind === 'layer' ? `a layer of class ${unknown}` : `the activation ${unknown}`;
    throw new Error(
      unknown === undefined
        ? cannotLoad(line)
        : `it has ${what}, which tf.js does not know: --require a module that registers it with tf.serialization.registerClass.`,
      { cause: error },
    );
  }
}

function cannotLoad(line: string): string {
  return `tf.js cannot load it: ${line.replace(/ This may be due to .*/, '').slice(0, 400)}`;
}

function giveManifest(model: tfl.LayersModel, { specs, data }: NonNullable<ModelContent['weights']>): void {
  // What tf.js keeps of the optimizer lies in the same file.
  const decoded = tf.io.decodeWeights(data, specs);
  const ofModel = specs.filter(({ group }) => group !== 'optimizer').map(({ name }) => [name, decoded[name]!] as const);
  try {
    model.loadWeights(Object.fromEntries(ofModel));
  } catch (error) {
    throw new Error(cannotLoad(lineOf(error)), { cause: error });
  } finally {
    tf.dispose(decoded);
  }
}

/** What depends on shapes that are known once the model is loaded. */
function unlikeKeras(model: tfl.LayersModel): string[] {
  return model.layers.flatMap((layer) => {
    if (isModel(layer)) {
      return unlikeKeras(layer as unknown as tfl.LayersModel);
    }
    const axis = layer.getClassName() === 'BatchNormalization' ? Number([layer.getConfig().axis].flat()[0]) : -1;
    const rank = [layer.inputSpec].flat()[0]?.ndim ?? 0;
    return axis < 0 || rank === 0 || axis === rank - 1
      ? []
      : [
          `Layer '${layer.name}' is a BatchNormalization along axis ${axis}, which tf.js computes otherwise than Keras on wasm and cpu: the ` +
            'reading is of what tf.js computes.',
        ];
  });
}

/** Frees all weights. `model.dispose` counts calls, and leaves those of a model that is called twice. */
export function disposeModel(model: tfl.LayersModel): void {
  for (const weight of new Set(model.weights)) {
    weight.dispose();
  }
}

const drawing = /^(random|truncated|variance|glorot|xavier|he|lecun|orthogonal)/i;

/** Every initializer that draws gets a seed of its own, also one that is no more than a name. */
function seedInitializers(topology: unknown, seed: number): void {
  let next = 1000 * (seed + 1);
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) {
      return;
    }
    const at = value as { [key: string]: unknown };
    for (const [key, each] of Object.entries(at)) {
      const { class_name, config } = (typeof each === 'string' ? { class_name: each } : (each ?? {})) as {
        class_name?: unknown;
        config?: object;
      };
      if (key.endsWith('_initializer') && typeof class_name === 'string' && drawing.test(class_name)) {
        const [first, ...rest] = class_name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
        at[key] = { class_name: first!.toUpperCase() + rest.join(''), config: { ...config, seed: next++ } };
      } else {
        walk(each);
      }
    }
  };
  walk(topology);
}
