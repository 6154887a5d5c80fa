import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { addonPath } from '../src/native/addon.js';

/** Starts a backend of tf.js; false where it is not there. */
export async function startBackend(backend: string): Promise<boolean> {
  if (backend === 'tensorflow') {
    if (!addonPath('@tensorflow/tfjs-node')) {
      return false;
    }
    // tfjs-node 4.22 calls both; Node 23 removed them.
    Object.assign(util, { isNullOrUndefined: (v: unknown) => v === null || v === undefined, isArray: Array.isArray });
    await import('@tensorflow/tfjs-node');
  }
  if (backend === 'wasm') {
    setWasmPaths(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')) + sep);
  }
  return tf.setBackend(backend);
}

/** The backend with the version of TensorFlow that it runs on, where it says one. */
export function backendVersion(): string {
  const { binding } = tf.backend() as unknown as { binding?: { TF_Version: string } };
  return binding ? `${tf.getBackend()} (TensorFlow ${binding.TF_Version})` : tf.getBackend();
}
