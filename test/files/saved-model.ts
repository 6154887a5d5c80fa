import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { io } from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll } from 'vitest';

/** A folder for the tests of a file, which goes away after them. */
export function testFolder(): { readonly path: string; readonly at: (...names: string[]) => string } {
  let path = '';
  beforeAll(() => {
    path = mkdtempSync(join(tmpdir(), 'tfjs-sharpness-files-'));
  });
  afterAll(() => rmSync(path, { recursive: true }));
  return {
    get path() {
      return path;
    },
    at: (...names) => join(path, ...names),
  };
}

/** Two inputs, one output of two classes: 3 x 2 weights and 2 biases, by a seed. */
export function denseModel(activation: 'softmax' | 'sigmoid' | 'linear' = 'softmax', units = 2): tfl.Sequential {
  return tfl.sequential({
    layers: [
      tfl.layers.dense({
        inputShape: [3],
        units,
        activation,
        name: 'dense',
        kernelInitializer: tfl.initializers.glorotUniform({ seed: 7 }),
        biasInitializer: tfl.initializers.randomNormal({ seed: 8 }),
      }),
    ],
  });
}

/** Saves a model as tf.js does in Node: model.json and weights.bin in a folder. Disposes it. */
export async function saveModel(model: tfl.LayersModel, folder: string, training?: object): Promise<string> {
  let saved: io.ModelArtifacts | undefined;
  await model.save({
    save: async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  });
  model.dispose();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'weights.bin'), Buffer.from(saved!.weightData as ArrayBuffer));
  writeFileSync(
    join(folder, 'model.json'),
    JSON.stringify({
      format: 'layers-model',
      modelTopology: saved!.modelTopology,
      ...(training && { trainingConfig: training }),
      weightsManifest: [{ paths: ['weights.bin'], weights: saved!.weightSpecs }],
    }),
  );
  return folder;
}

/** An array as NumPy saves it. */
export function npy(
  shape: readonly number[],
  values: Uint8Array | ArrayLike<number>,
  { descr = '<f4', fortran = false } = {},
): Uint8Array {
  const list = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const header = `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${list}, }\n`;
  const bytes = values instanceof Uint8Array ? values : new Uint8Array(Float32Array.from(values).buffer);
  return Buffer.concat([
    Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length & 255, header.length >> 8]),
    Buffer.from(header),
    bytes,
  ]);
}
