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
 * @throws Error with one line for weights that do not fit.
 */
export function giveWeights(model: tfl.LayersModel, weights: KerasWeights, path = ''): void {
  for (const layer of model.layers) {
    const name = `${path}${layer.name}`;
    const given = weights.get(name);
    if (!isModel(layer)) {
      giveInOrder(name, layer.weights, given ?? []);
    } else if (given === undefined) {
      giveWeights(layer as unknown as tfl.LayersModel, weights, `${name}/`);
    } else {
      giveInOrder(name, inOrderOf(given, layersIn(layer)), given);
    }
  }
}

const layersIn = (layer: tfl.layers.Layer): tfl.layers.Layer[] =>
  isModel(layer) ? (layer as unknown as tfl.LayersModel).layers.flatMap(layersIn) : [layer];

/**
 * The variables of a model's layers in the order of a list of Keras. It has those that are trained first, unless Keras 3 knows the whole
 * model as frozen, or a model in it is frozen around layers that are not: names tell, where each is of one layer.
 */
function inOrderOf(given: readonly KerasWeight[], layers: readonly tfl.layers.Layer[]): tfl.LayerVariable[] {
  const owners = given.map(({ name = '' }) => layers.filter((layer) => name.split('/').includes(layer.name)));
  if (owners.some(({ length }) => length !== 1)) {
    return [
      ...layers.flatMap(({ trainableWeights }) => trainableWeights),
      ...layers.flatMap(({ nonTrainableWeights }) => nonTrainableWeights),
    ];
  }
  const left = new Map(layers.map((layer) => [layer, [...layer.weights]]));
  const named = owners.flatMap(([owner]) => left.get(owner!)!.shift() ?? []);
  return [...named, ...[...left.values()].flat()];
}

function giveInOrder(name: string, weights: readonly tfl.LayerVariable[], given: readonly KerasWeight[]): void {
  const shapes = weights.map(({ shape }) => shape.join());
  if (shapes.length !== given.length || given.some(({ shape }, i) => shape.join() !== shapes[i])) {
    const list = (all: readonly string[]) => (all.length > 0 ? all.map((each) => `[${each}]`).join(', ') : 'none');
    throw new Error(
      `layer '${name}' has weights of shapes ${list(shapes)} in tf.js, but ${list(given.map(({ shape }) => shape.join()))} in the file.`,
    );
  }
  tf.tidy(() => {
    for (const [i, weight] of weights.entries()) {
      const { shape, values } = given[i]!;
      weight.write(tf.tensor(values, [...shape], weight.dtype));
    }
  });
}
