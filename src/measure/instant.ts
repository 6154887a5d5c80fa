import { identityOfValues } from '../tfjs/value-identity.js';
import { variableOf, type Weight } from '../tfjs/weights.js';

/**
 * Remembers which values the weights have now. No value is read.
 *
 * @param weights all that the network uses, also those that are not trained.
 * @returns a check: @throws Error with one line once a weight has been given other values, or is disposed.
 */
export function thisInstant(weights: readonly Weight[]): () => void {
  const now = weights.map((weight) => {
    const variable = variableOf(weight);
    return { name: weight.originalName, variable, identity: identityOfValues(variable) };
  });
  let moved: (typeof now)[number] | undefined;
  return () => {
    // Once is enough, also where the values are back: what was computed since is not to be tried again.
    moved ??= now.find(({ variable, identity }) => variable.isDisposed || identityOfValues(variable) !== identity);
    if (moved) {
      throw new Error(
        `Weight '${moved.name}' was ${moved.variable.isDisposed ? 'disposed' : 'changed'} during the measurement, which speaks ` +
          'for one state of the network: await the measurement before training goes on or weights are set.',
      );
    }
  };
}
