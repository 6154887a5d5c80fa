import { layersInside } from './layers-inside.js';

/** What `tf.regularizers.l2` and `l1l2` make: the factor is a private field, which every training step reads anew. */
interface HasL2Factor {
  /** Where it is 0 from the beginning, the term is left out for good: see `hasL2` there. */
  l2: number;
}

/** Whether this is a regularizer whose L2 factor can be read and set. */
export function hasL2Factor(regularizer: unknown): regularizer is HasL2Factor {
  return typeof regularizer === 'object' && regularizer !== null && typeof (regularizer as HasL2Factor).l2 === 'number';
}

/**
 * Whether a layer has a regularizer, or a layer inside of it has. Each class keeps its own in fields of their own, such as
 * `kernelRegularizer`. (Those of a layer and of what a TimeDistributed holds are in the loss that tf.js trains with; those of recurrent
 * layers, whose cells keep the weights, tf.js leaves out of it.)
 */
export function hasRegularizer(layer: object): boolean {
  return layersInside(layer).some((each) =>
    Object.entries(each).some(([key, value]) => /Regularizer$/.test(key) && value),
  );
}
