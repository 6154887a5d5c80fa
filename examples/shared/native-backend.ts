import util from 'node:util';

/** Loads tfjs-node, as a program of its own would do with an ordinary import; where it cannot, a line says what is `instead` on wasm. */
export async function hasNativeBackend(instead: string): Promise<boolean> {
  // tfjs-node 4.22 calls both; Node 23 removed them.
  Object.assign(util, { isNullOrUndefined: (v: unknown) => v === null || v === undefined, isArray: Array.isArray });
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '1'; // fewer notes on how TensorFlow was built
  try {
    await import('@tensorflow/tfjs-node');
    return true;
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    console.log(`tfjs-node does not load, so ${instead} on wasm; npm run native builds it. (${reason})`);
    return false;
  }
}
