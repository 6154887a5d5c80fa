import * as tf from '@tensorflow/tfjs';

/** What a piece of work costs, without a clock. */
export interface Counts {
  /** Operations that a backend was asked for one by one. */
  readonly launches: number;
  /** Tensors whose numbers were waited for. */
  readonly reads: number;
  /** Bytes of tensors made of numbers in JavaScript. */
  readonly uploadedBytes: number;
  /** Bytes of the tensors that were read. */
  readonly readBytes: number;
  /** Most bytes of tensors at once, above what was there before. */
  readonly peakBytes: number;
}

/** Methods that are replaced while something counts, by name. */
type Methods<Name extends string> = Record<Name, unknown>;

type Method = (...args: unknown[]) => unknown;

/** Milliseconds that a launch takes by the clock of `counted`, as long as one of tfjs-node. */
const LAUNCH_MS = 0.03;
/** Kernels that only name a tensor anew, except on tfjs-node, where they are operations like any other. */
const free: readonly (string | undefined)[] = ['Reshape', 'Identity'];

/**
 * Runs something and counts what it costs the backend. Its clock (`performance.now`) goes by launches meanwhile, so that what
 * depends on times comes out the same on every machine.
 */
export async function counted(run: () => Promise<unknown>): Promise<Counts> {
  const counts = { launches: 0, reads: 0, uploadedBytes: 0, readBytes: 0, peakBytes: 0 };
  const before = tf.memory().numBytes;
  const engine = tf.engine() as unknown as Methods<'makeTensor' | 'trackTensor'>;
  const restore = [
    onLaunch(() => {
      counts.launches += 1;
    }),
    onRead((bytes) => {
      counts.reads += 1;
      counts.readBytes += bytes;
    }),
    around(engine, 'makeTensor', (make, _values, shape, dtype) => {
      counts.uploadedBytes += bytesOf(shape as number[], dtype as tf.DataType | undefined);
      return make();
    }),
    around(engine, 'trackTensor', (track) => {
      track();
      counts.peakBytes = Math.max(counts.peakBytes, tf.memory().numBytes - before);
    }),
    around(performance as Methods<'now'>, 'now', () => LAUNCH_MS * counts.launches),
  ];
  try {
    await run();
  } finally {
    for (const each of restore) {
      each();
    }
  }
  return counts;
}

function bytesOf(shape: readonly number[], dtype: tf.DataType = 'float32'): number {
  return dtype === 'string' ? 0 : tf.util.sizeFromShape([...shape]) * tf.util.bytesPerElement(dtype);
}

/**
 * A launch is an operation of the C library on tfjs-node, a dispatch on WebGPU, and elsewhere a kernel that computes.
 *
 * @returns what ends the counting.
 */
function onLaunch(see: () => void): () => void {
  const backend: unknown = tf.backend();
  const launching = <Name extends string>(methods: Methods<Name>, name: Name) =>
    around(methods, name, (launch) => {
      see();
      return launch();
    });
  switch (tf.getBackend()) {
    case 'tensorflow': {
      const methods = backend as Methods<'executeSingleOutput' | 'executeMultipleOutputs'>;
      return both(launching(methods, 'executeSingleOutput'), launching(methods, 'executeMultipleOutputs'));
    }
    case 'webgpu':
      return launching(backend as Methods<'runWebGPUProgram'>, 'runWebGPUProgram');
    default:
      return around(tf.engine() as unknown as Methods<'runKernelFunc'>, 'runKernelFunc', (launch, params) => {
        const { kernelName } = params as { readonly kernelName?: string };
        if (kernelName && !free.includes(kernelName)) {
          see();
        }
        return launch();
      });
  }
}

/** @param see given the bytes that are read. */
function onRead(see: (bytes: number) => void): () => void {
  const backend: unknown = tf.backend();
  const seen = (values: Float32Array) => {
    see(values.byteLength);
    return values;
  };
  if (tf.getBackend() === 'webgpu') {
    // `read` answers from what it has read before.
    return around(backend as Methods<'getBufferData'>, 'getBufferData', (read, buffer) => {
      see((buffer as { readonly size: number }).size);
      return read();
    });
  }
  if (tf.getBackend() === 'tensorflow') {
    // `read` calls it.
    return around(backend as Methods<'readSync'>, 'readSync', (read) => seen(read() as Float32Array));
  }
  // Kernels of cpu and wasm read what lies beside them.
  const engine = tf.engine() as unknown as Methods<'read' | 'readSync'>;
  return both(
    around(engine, 'read', async (read) => seen((await read()) as Float32Array)),
    around(engine, 'readSync', (read) => seen(read() as Float32Array)),
  );
}

const both = (first: () => void, second: () => void) => () => {
  first();
  second();
};

/**
 * Replaces a method.
 *
 * @param instead given the method, to be called with its own arguments, and these.
 * @returns what puts it back.
 */
function around<Name extends string>(
  target: Methods<Name>,
  name: Name,
  instead: (method: () => unknown, ...args: unknown[]) => unknown,
): () => void {
  const method = target[name] as Method;
  Object.assign(target, {
    [name]: (...args: unknown[]) => instead(() => method.apply(target, args), ...args),
  });
  return () => Object.assign(target, { [name]: method });
}
