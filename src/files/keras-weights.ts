import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { isModel } from '../tfjs/model-graph.js';
import type { Hdf5Array } from './hdf5.js';

/** A weight as Keras has saved it. */
export interface KerasWeight extends Hdf5Array {
  /** Path of the variable, `dense/kernel:0`; only in files that keep the weights of a model among the layers in one list. */
  readonly name?: string;
}

/** Weights by the name of their layer, with the names of the models around it before it: `branch/dense`; or by that of a model, all of it. */
export type KerasWeights = ReadonlyMap<string, readonly KerasWeight[]>;

/**
 * Gives a model the weights that Keras has saved.
 *
 * @throws Error with one line for weights that do not fit, and for those of a model in one list that may lie in several orders.
 */
export function giveWeights(model: tfl.LayersModel, weights: KerasWeights): void {
  giveWithin(model, weights, [], [model.name]);
}

/** @param path names of the models around, without the outermost. @param around those of all. */
function giveWithin(
  model: tfl.LayersModel,
  weights: KerasWeights,
  path: readonly string[],
  around: readonly string[],
): void {
  for (const layer of model.layers) {
    const own = [...path, layer.name];
    const name = own.join('/');
    const given = weights.get(name);
    if (!isModel(layer)) {
      giveInOrder(name, layer.weights, given ?? []);
    } else if (given === undefined) {
      giveWithin(asModel(layer), weights, own, [...around, layer.name]);
    } else {
      giveInOrder(name, inOrderOf(name, given, layer, around), given);
    }
  }
}

const asModel = (layer: tfl.layers.Layer) => layer as unknown as tfl.LayersModel;

/** A layer with the names of the models around it, from the outermost. */
interface PlacedLayer {
  readonly layer: tfl.layers.Layer;
  readonly around: readonly string[];
}

const layersIn = (layer: tfl.layers.Layer, around: readonly string[] = []): PlacedLayer[] =>
  isModel(layer)
    ? asModel(layer).layers.flatMap((each) => layersIn(each, [...around, layer.name]))
    : [{ layer, around }];

/**
 * The variables of a model's layers in the order of a list of Keras: by their names, where each is of one layer. Else it has those that
 * are trained first, unless a model that Keras 3 knows as frozen lies around layers that are not: its weights lie layer by layer.
 */
function inOrderOf(
  name: string,
  given: readonly KerasWeight[],
  model: tfl.layers.Layer,
  around: readonly string[],
): readonly tfl.LayerVariable[] {
  const layers = layersIn(model, around);
  const owners = given.map((weight) => ownerOf(weight.name ?? '', layers));
  if (owners.every((owner) => owner !== undefined)) {
    const left = new Map(layers.map(({ layer }) => [layer, [...layer.weights]]));
    const named = owners.flatMap((owner) => left.get(owner)!.shift() ?? []);
    return [...named, ...[...left.values()].flat()];
  }
  const trainedFirst = ordered(model);
  const fitting = [trainedFirst, ...partlyFrozen(model).map((frozen) => ordered(model, frozen))].filter(
    (order) => order.length === given.length && order.every((weight, i) => isOfShape(weight, given[i]!)),
  );
  const [order = trainedFirst, ...others] = fitting;
  if (others.some((other) => other.some((weight, i) => weight !== order[i]))) {
    throw new Error(
      `the weights of '${name}' may lie in several orders, and their names do not tell which layer each is of: save the model as .keras, ` +
        'or with all its layers trainable.',
    );
  }
  return order;
}

/**
 * The layer that a variable is of, by its path: what stands before the name of the layer are models around it, though not all of them.
 *
 * @returns undefined where none or several may be.
 */
function ownerOf(name: string, layers: readonly PlacedLayer[]): tfl.layers.Layer | undefined {
  const scopes = name.split('/').slice(0, -1);
  const isWithin = ({ layer, around }: PlacedLayer) => {
    const at = scopes.lastIndexOf(layer.name);
    return at >= 0 && isSubsequence(scopes.slice(0, at), around);
  };
  const within = layers.filter(isWithin);
  // Models around it may have other names by now.
  const found = within.length > 0 ? within : layers.filter(({ layer }) => scopes.includes(layer.name));
  return found.length === 1 ? found[0]!.layer : undefined;
}

function isSubsequence(some: readonly string[], all: readonly string[]): boolean {
  let count = 0;
  for (const each of all) {
    count += each === some[count] ? 1 : 0;
  }
  return count === some.length;
}

/** @param frozen a model of which Keras has no weight as trained. */
function ordered(model: tfl.layers.Layer, frozen?: tfl.layers.Layer): tfl.LayerVariable[] {
  const all = (layer: tfl.layers.Layer) => layersIn(layer).flatMap((each) => each.layer.weights);
  const of = (layer: tfl.layers.Layer, isTrained: boolean): tfl.LayerVariable[] =>
    layer === frozen
      ? isTrained
        ? []
        : all(layer)
      : isModel(layer)
        ? asModel(layer).layers.flatMap((each) => of(each, isTrained))
        : isTrained
          ? layer.trainableWeights
          : layer.nonTrainableWeights;
  return [...of(model, true), ...of(model, false)];
}

/** A model, and those in it, that may have been frozen before some of their layers were not any more. */
function partlyFrozen(model: tfl.layers.Layer): tfl.layers.Layer[] {
  if (!isModel(model)) {
    return [];
  }
  const isPartly = layersIn(model).some(({ layer }) => !layer.trainable);
  return [...(isPartly ? [model] : []), ...asModel(model).layers.flatMap(partlyFrozen)];
}

function giveInOrder(name: string, weights: readonly tfl.LayerVariable[], given: readonly KerasWeight[]): void {
  if (weights.length !== given.length || weights.some((weight, i) => !isOfShape(weight, given[i]!))) {
    const shapes = weights.map(({ shape }) => shape.join());
    const list = (all: readonly string[]) => (all.length > 0 ? all.map((each) => `[${each}]`).join(', ') : 'none');
    throw new Error(
      `layer '${name}' has weights of shapes ${list(shapes)} in tf.js, but ${list(given.map(({ shape }) => shape.join()))} in the file.`,
    );
  }
  tf.tidy(() => {
    for (const [i, weight] of weights.entries()) {
      const { values } = given[i]!;
      weight.write(tf.tensor(values, weight.shape as number[], weight.dtype));
    }
  });
}

/** Whether a weight has the shape of what it is given. Convolutions of as many groups as channels keep theirs, [h, w, C, M], as [h, w, 1, C M]. */
function isOfShape({ shape, originalName }: tfl.LayerVariable, given: KerasWeight): boolean {
  const [height, width, channels, multiplier] = shape as number[];
  const grouped = [height, width, 1, channels! * multiplier!];
  return [shape, ...(originalName.endsWith('/depthwise_kernel') ? [grouped] : [])].some(
    (each) => each.join() === given.shape.join(),
  );
}
