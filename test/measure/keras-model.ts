import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

const fixtures = new URL('../fixtures/keras/', import.meta.url);

export const kerasCases = ['audio', 'gru', 'k3', 'resnet', 'siamese', 'unet'] as const;
export type KerasCase = (typeof kerasCases)[number];

/** Float64 reference values, see the README of the fixtures. */
export interface KerasReference {
  readonly losses: 'categoricalCrossentropy' | 'binaryCrossentropy';
  readonly traces: readonly { readonly name: string; readonly trace: number }[];
  readonly trace: number;
  readonly minimumSharpness: number;
  readonly freeScales: number;
  readonly firstOutputs: readonly number[];
}

const readJson = (path: string) => JSON.parse(readFileSync(new URL(path, fixtures), 'utf8'));

function readFloats(path: string): ArrayBuffer {
  return Uint8Array.from(readFileSync(new URL(path, fixtures))).buffer;
}

/** tf.js leaves a recurrent layer's cell out of the names of its weights. */
export function kerasReference(name: KerasCase): KerasReference {
  const reference: KerasReference = readJson(`${name}/expected.json`);
  const traces = reference.traces.map((each) => ({ ...each, name: each.name.replace(/\/\w+_cell\//, '/') }));
  return { ...reference, traces };
}

/** The model as its file says, with the weights of the file. */
export function kerasModel(name: KerasCase): Promise<tfl.LayersModel> {
  const { modelTopology, weightsManifest } = readJson(`${name}/model.json`);
  const [{ paths, weights: weightSpecs }] = weightsManifest;
  return tfl.loadLayersModel({
    load: async () => ({ modelTopology, weightSpecs, weightData: readFloats(`${name}/${paths[0]}`) }),
  });
}

export function kerasInputs(name: KerasCase): tf.Tensor[] {
  const shapes = readJson(`${name}/x.json`) as { shape: number[] }[];
  return shapes.map(({ shape }, i) => tf.tensor(new Float32Array(readFloats(`${name}/x${i}.bin`)), shape));
}
