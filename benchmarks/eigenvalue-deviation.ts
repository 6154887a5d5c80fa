/**
 * Relative deviation of eigenvalues from those that are right, as root mean square over the turns, each of which draws anew: of one draw it is
 * a sample of a random error. Of the largest and, where there are several, of the one that is worst.
 *
 * @param turns the eigenvalues of each turn, the largest first.
 * @param right those of the reference; undefined where it did not take part.
 * @returns undefined where there is nothing to compare.
 */
export function eigenvalueDeviation(
  turns: readonly (readonly number[])[],
  right: readonly number[] | undefined,
): string | undefined {
  if (!right || !turns[0]) {
    return undefined;
  }
  const deviations = turns[0].map((_, i) =>
    Math.sqrt(turns.reduce((sum, values) => sum + (values[i]! / right[i]! - 1) ** 2, 0) / turns.length),
  );
  const written = (deviation: number) => `${Number((100 * deviation).toPrecision(1))}%`;
  const [largest] = deviations as [number];
  return deviations.length === 1 ? written(largest) : `${written(largest)}, ${written(Math.max(...deviations))}`;
}
