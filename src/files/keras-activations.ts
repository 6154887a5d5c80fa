import * as tf from '@tensorflow/tfjs-core';

/** relu6(x + 3) / 6: what Keras 3 calls hard_sigmoid, and tf.js, as Keras 2, does not. */
const hardSigmoid = (x: tf.Tensor): tf.Tensor => tf.mul(tf.relu6(tf.add(x, 3)), 1 / 6);

/** By the names of their classes. */
const functions: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  hardSigmoidOfKeras3: hardSigmoid,
  hardSilu: (x) => tf.mul(x, hardSigmoid(x)),
};

function activationClass(name: string) {
  return class extends tf.serialization.Serializable {
    static readonly className = name;
    apply(x: tf.Tensor): tf.Tensor {
      return tf.tidy(() => functions[name]!(x));
    }
    override getConfig() {
      return {};
    }
  };
}

/** Activations of Keras that tf.js does not have, for `tf.serialization.registerClass`. */
export const activations = Object.keys(functions).map(activationClass);

/** Activations of Keras by the names that tf.js knows them by. */
const renamed: Readonly<Record<string, string>> = { silu: 'swish', hard_silu: 'hardSilu', hard_swish: 'hardSilu' };

/** @returns the name in tf.js of an activation that Keras names in a string. */
export function activationInTfjs(name: string, isKeras3: boolean): string {
  if (isKeras3 && name === 'hard_sigmoid') {
    return 'hardSigmoidOfKeras3';
  }
  return Object.hasOwn(renamed, name) ? renamed[name]! : name;
}
