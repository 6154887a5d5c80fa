import { mkdirSync, writeFileSync } from 'node:fs';
import type * as tf from '@tensorflow/tfjs';

/**
 * Writes a network and images where other processes read them, PyTorch's among them: `network.json` (the layers), and all
 * weights and images as float32 in one row each.
 *
 * @param images [N, 784]
 */
export function writeNetwork(model: tf.LayersModel, images: tf.Tensor, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const layers = model.layers.flatMap((layer) => {
    const { activation, padding, poolSize, strides } = layer as tf.layers.Layer & {
      activation?: { getClassName(): string };
      padding?: string;
      poolSize?: number[];
      strides?: number[];
    };
    const after = activation?.getClassName() === 'relu' ? [{ kind: 'relu' }] : [];
    const kernel = layer.weights[0]?.shape;
    switch (layer.getClassName()) {
      case 'Conv2D':
        return [{ kind: 'conv', kernel, padding }, ...after];
      case 'Dense':
        return [{ kind: 'dense', kernel }, ...after];
      case 'MaxPooling2D':
        return [{ kind: 'maxPool', size: poolSize, strides }];
      case 'Flatten':
        return [{ kind: 'flatten', input: (layer.input as tf.SymbolicTensor).shape.slice(1) }];
      default:
        throw new Error(`The layer ${layer.getClassName()} has no counterpart in kernel-peers.py.`);
    }
  });
  writeFileSync(`${folder}network.json`, JSON.stringify({ layers, images: [images.shape[0], 28, 28, 1] }));
  const values = model.getWeights().map((weight) => weight.dataSync() as Float32Array);
  writeFileSync(`${folder}weights.f32`, Buffer.concat(values.map(bytesOf)));
  writeFileSync(`${folder}images.f32`, bytesOf(images.dataSync() as Float32Array));
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
