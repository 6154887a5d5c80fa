import { backendName, isSynchronous } from './backend.js';

/** About how fast a backend is, before anything has been measured on it. */
export interface BackendSpeed {
  /** What the launches, reads and JavaScript of a pass over a small network take, in ms. */
  readonly passMs: number;
  /** Products of two numbers in a ms, where there are many. */
  readonly productsInMs: number;
  /** How many times as long a first run may take, which sets kernels up. */
  readonly firstRun: number;
}

/**
 * As measured on two processor cores, on a data-centre GPU with tfjs-node-gpu, and, for the GPU of a page, between the two. Dense
 * networks are faster, networks of convolutions slower.
 */
const speeds: { readonly [backend: string]: BackendSpeed } = {
  cpu: { passMs: 8, productsInMs: 2 ** 20, firstRun: 2 },
  wasm: { passMs: 8, productsInMs: 2 ** 25, firstRun: 2 },
  tensorflow: { passMs: 8, productsInMs: 2 ** 26, firstRun: 2 },
};
const ofGpu = { passMs: 4, productsInMs: 2 ** 31, firstRun: Number.POSITIVE_INFINITY };
const ofPage = { passMs: 8, productsInMs: 2 ** 28, firstRun: Number.POSITIVE_INFINITY };

/** That of the backend that runs now. */
export function backendSpeed(): BackendSpeed {
  const name = backendName();
  return isSynchronous() ? speeds[name] : name === 'tensorflow' ? ofGpu : ofPage;
}
