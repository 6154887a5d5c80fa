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
 * Whether a layer has a regularizer. Each class keeps its own in fields of their own, such as `kernelRegularizer` or
 * `recurrentRegularizer`; `calculateLosses` adds their terms up without saying whose they are.
 */
export function hasRegularizer(layer: object): boolean {
  return Object.entries(layer).some(([key, value]) => /Regularizer$/.test(key) && value);
}
