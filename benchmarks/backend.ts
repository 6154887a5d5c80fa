import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { addonPath } from '../src/native/addon.js';

/** Backends of tf.js that run in Node. */
export const backendNames = ['tensorflow', 'wasm', 'cpu', 'webgpu'] as const;

export type BackendName = (typeof backendNames)[number];

/** Set to `cuda` where a GPU is measured, so that nothing else passes for one; PyTorch's side reads it, too. */
export const DEVICE = 'BENCH_DEVICE';
const mustBeGpu = () => process.env[DEVICE] === 'cuda';

/** Chromium's emulation of a GPU, and the variable in which Vulkan is told of it. */
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const VULKAN = 'VK_ICD_FILENAMES';

/** Starts a backend of tf.js; false where it is not there. tfjs-node-gpu goes before tfjs-node. */
export async function startBackend(backend: string): Promise<boolean> {
  if (backend === 'tensorflow') {
    const built = (['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const).find((name) => addonPath(name));
    if (!built) {
      return false;
    }
    // tfjs-node 4.22 calls both; Node 23 removed them.
    Object.assign(util, { isNullOrUndefined: (v: unknown) => v === null || v === undefined, isArray: Array.isArray });
    await import(built);
    if (mustBeGpu() && !((await tf.setBackend(backend)) && onGpu())) {
      return false;
    }
  }
  if (backend === 'wasm') {
    setWasmPaths(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')) + sep);
  }
  if (backend === 'webgpu' && !(await hasWebGpu())) {
    return false;
  }
  return tf.setBackend(backend);
}

/** What a WebGPU device says of itself. */
let webGpuDevice = '';

/** Makes `navigator.gpu` of Dawn, on the machine's GPU or, where there is none, on SwiftShader. */
async function hasWebGpu(): Promise<boolean> {
  // Missing where npm did not install it: its binaries are there for few platforms.
  const dawn = await import('webgpu').catch(() => null);
  if (!dawn) {
    return false;
  }
  Object.assign(globalThis, dawn.globals);
  let gpu = dawn.create([]);
  let adapter = await gpu.requestAdapter();
  if (!adapter && !mustBeGpu() && !process.env[VULKAN] && existsSync(SWIFTSHADER)) {
    process.env[VULKAN] = SWIFTSHADER;
    gpu = dawn.create([]);
    adapter = await gpu.requestAdapter();
  }
  if (!adapter || (mustBeGpu() && adapter.info.vendor !== 'nvidia')) {
    return false;
  }
  const { vendor, device, description } = adapter.info;
  webGpuDevice = [vendor, device, description].filter(Boolean).join(', ');
  // The backend looks for both when it is loaded, as in a page.
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  Object.assign(globalThis, { self: globalThis });
  await import('@tensorflow/tfjs-backend-webgpu');
  return true;
}

/** Fields of tfjs-node's backend. */
interface NativeBackend {
  readonly binding: { readonly TF_Version: string };
  readonly isUsingGpuDevice: boolean;
}

const onGpu = () => (tf.backend() as unknown as NativeBackend).isUsingGpuDevice;

/** The backend with the version of TensorFlow that it runs on, where it says one. */
export function backendVersion(): string {
  const { binding } = tf.backend() as unknown as Partial<NativeBackend>;
  return binding
    ? `${tf.getBackend()} (TensorFlow ${binding.TF_Version}${onGpu() ? ' on a GPU' : ''})`
    : tf.getBackend();
}

/** What runs, by name, for a report. */
export function versionsHere(): Record<string, string> {
  const device: Record<string, string> =
    tf.getBackend() === 'webgpu' ? { WebGPU: `(${webGpuDevice})` } : { backend: backendVersion() };
  return { 'tf.js': tf.version_core, ...device };
}
