import { checkText } from '../../checks.js';

/** A number that can be set while a model trains, such as a learning rate. */
export interface Setting {
  /** Its name in `changes$` and in TensorBoard. */
  readonly name: string;
  /** The present value. */
  get(): number;
  /** Sets it. The next training step goes by it. */
  set(value: number): void;
}

/**
 * The property of an object as a setting: `rho` of an optimizer, or anything else that is a number.
 *
 * ```ts
 * steer(sharpness.readings$, raiseWhenRising({ max: 0.2 }), property(optimizer, 'rho'));
 * ```
 *
 * Whatever uses the property must read it anew in every training step.
 *
 * @param object that has the property; it may be a getter with a setter.
 * @param key of the property.
 * @param name in `changes$` and in TensorBoard. Default `key`.
 * @throws Error with one line if the property is not a number now, or the name is empty.
 */
export function property<Key extends string>(object: { [Name in Key]: number }, key: Key, name: string = key): Setting {
  const isObject = (typeof object === 'object' && object !== null) || typeof object === 'function';
  if (!isObject || typeof object[key] !== 'number') {
    const found = isObject ? `${String(key)} is ${String(object[key])}` : `the object is ${String(object)}`;
    throw new Error(`property: an object and the name of a number in it are wanted, but ${found}.`);
  }
  checkText('property: name', name);
  return {
    name,
    get: () => object[key],
    set(value) {
      object[key] = value as { [Name in Key]: number }[Key];
    },
  };
}
