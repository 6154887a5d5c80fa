import { lineOf } from '../../warnings.js';

/**
 * Runs what writes, and says on the console where that throws. A training must not end because a disk is full, and must not print a line
 * for every reading either: a line is said when writing begins to fail, and when it fails for another reason than before.
 *
 * @param lost how the line begins, for example `tensorBoardWriter: TensorBoard misses readings`.
 * @returns what tries an action.
 */
export function triedWriting(lost: string): (action: () => void) => void {
  let said: string | undefined;
  return (action) => {
    try {
      action();
      said = undefined;
    } catch (error) {
      const reason = lineOf(error);
      if (reason !== said) {
        said = reason;
        console.warn(`${lost}, writing failed: ${reason}`);
      }
    }
  };
}
