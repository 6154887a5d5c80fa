import * as tfl from '@tensorflow/tfjs-layers';

/** The callbacks of a fit, and the first that it does with them. */
interface CallbackList {
  callbacks: object[];
  setParams(params: object): void;
}

const welcoming = new WeakSet<object>();
let isExtended = false;

/**
 * Lets plain objects such as `{ onEpochEnd }` stand behind a callback in the list of a fit.
 *
 * tf.js wraps plain objects in `CustomCallback` only where the first entry is one. Behind a callback object they stay as they are,
 * and training ends before it begins, in `setParams is not a function`. From the first call on, lists are looked at before that, and
 * where this callback is in one, its plain objects are wrapped as well. All other lists are treated as ever.
 */
export function welcomePlainObjects(callback: tfl.Callback): void {
  welcoming.add(callback);
  if (isExtended) {
    return;
  }
  isExtended = true;
  const prototype = tfl.CallbackList.prototype as unknown as CallbackList;
  const { setParams } = prototype;
  prototype.setParams = function (params) {
    if (this.callbacks.some((each) => welcoming.has(each))) {
      this.callbacks = this.callbacks.map((each) => (isPlain(each) ? new tfl.CustomCallback(each) : each));
    }
    setParams.call(this, params);
  };
}

/** By a method that every callback has: a class says nothing of callbacks of another copy of tfjs-layers. */
function isPlain(each: object): boolean {
  return !('setParams' in each);
}
