import wasmPlain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import wasmSimd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import wasmThreads from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import * as tf from '@tensorflow/tfjs-core';
import { type BackendName, backendNames } from '../settings.js';
import type { BackendState } from './messages.js';

const titles: Record<BackendName, string> = { webgpu: 'WebGPU', webgl: 'WebGL', wasm: 'wasm', cpu: 'cpu' };

/** Which backends this thread of this browser has. */
export async function backendStates(): Promise<BackendState[]> {
  return Promise.all(backendNames.map(async (name) => ({ name, missing: await missing[name]() })));
}

/** Why a backend is not there, in one line; `undefined`: it is. */
const missing: Record<BackendName, () => Promise<string | undefined>> = {
  async webgpu() {
    if (!globalThis.isSecureContext) {
      return 'browsers have WebGPU on https and localhost only';
    }
    if (!('gpu' in navigator)) {
      return 'this browser does not have WebGPU';
    }
    const adapter = await navigator.gpu.requestAdapter().catch(() => null);
    return adapter === null ? 'the browser has WebGPU, but no GPU that it may use' : undefined;
  },
  async webgl() {
    const canvas =
      typeof OffscreenCanvas === 'undefined' ? globalThis.document?.createElement('canvas') : new OffscreenCanvas(1, 1);
    const gl = canvas?.getContext('webgl2') as WebGL2RenderingContext | null | undefined;
    gl?.getExtension('WEBGL_lose_context')?.loseContext(); // browsers have only a few
    return gl ? undefined : 'this browser has no WebGL 2 here';
  },
  async wasm() {
    return typeof WebAssembly === 'undefined' ? 'this browser does not have WebAssembly' : undefined;
  },
  async cpu() {
    return undefined;
  },
};

/** What is loaded only where it is chosen. */
const load: Record<BackendName, () => Promise<unknown>> = {
  webgpu: () => import('@tensorflow/tfjs-backend-webgpu'),
  webgl: () => import('@tensorflow/tfjs-backend-webgl'),
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
  async wasm() {
    const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
    if (!wasmLoaded) {
      setWasmPaths({
        'tfjs-backend-wasm.wasm': wasmPlain,
        'tfjs-backend-wasm-simd.wasm': wasmSimd,
        'tfjs-backend-wasm-threaded-simd.wasm': wasmThreads,
      });
      wasmLoaded = true;
    }
  },
};
let wasmLoaded = false;

/** What the backends for GPUs have more than the others. */
type Backend = tf.KernelBackend & {
  readonly gpgpu?: { readonly gl: WebGL2RenderingContext };
  readonly device?: GPUDevice;
};

/** Backends whose context or device is lost: they have to be made anew. */
const lost = new Set<BackendName>();
/** Those whose loss is listened for. */
const watched = new Set<Backend>();
let used: Backend | undefined;

/**
 * Makes a backend the one that is used.
 *
 * @param onLost is called when its WebGL context or WebGPU device is lost, now or later, while it is the one that is used.
 * @throws Error with one line where it does not start.
 */
export async function startBackend(name: BackendName, onLost: (message: string) => void): Promise<void> {
  await load[name]();
  if (lost.has(name)) {
    // Of what was on the lost device, some is left behind where a computation broke off: the engine begins with nothing.
    tf.engine().reset();
    lost.clear();
    watched.clear();
  }
  used = undefined;
  if (!(await tf.setBackend(name))) {
    throw new Error(`The ${titles[name]} backend does not start in this browser: choose another one.`);
  }
  await tf.ready();
  const backend = tf.backend() as Backend;
  used = backend;
  if (watched.has(backend)) {
    return;
  }
  watched.add(backend);
  const tell = (what: string) => {
    if (!watched.has(backend)) {
      return;
    }
    lost.add(name);
    if (used === backend) {
      onLost(`${what} is lost, and the weights with it. Start to train anew.`);
    }
  };
  backend.gpgpu?.gl.canvas.addEventListener('webglcontextlost', () => tell('The WebGL context'), { once: true });
  backend.device?.lost.then(() => tell('The WebGPU device'));
}

/** Where a device is lost, what waits for it fails before that is told, and by other words. After this it has been told. */
export async function lossTold(): Promise<void> {
  await used?.device?.queue.onSubmittedWorkDone().catch(() => {});
  await new Promise((go) => setTimeout(go, 100));
}
