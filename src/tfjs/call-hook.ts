import type { layers } from '@tensorflow/tfjs-layers';

/** The private slot of `setCallHook`. There is one a layer, and no public way of asking what is in it. */
interface HasCallHook {
  _callHook: unknown;
}

/**
 * Runs `call`, which applies the layer, without firing the hook that the user may have set: tf.js fires it at every call of dense,
 * flatten, embedding, pooling and a few other layers, whoever calls.
 */
export function withoutCallHook<T>(layer: layers.Layer, call: () => T): T {
  const hooked = layer as unknown as HasCallHook;
  const hook = hooked._callHook;
  hooked._callHook = null;
  try {
    return call();
  } finally {
    hooked._callHook = hook;
  }
}
