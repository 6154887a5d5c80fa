/**
 * The names that an option lists, with commas between.
 *
 * @throws Error with one line that lists the known ones.
 */
export function named<Name extends string>(option: string, text: string, known: readonly Name[]): Name[] {
  const names = text.split(',');
  const unknown = names.find((name) => !known.includes(name as Name));
  if (unknown !== undefined) {
    throw new Error(`--${option} must name some of ${known.join(', ')}, with commas between, not '${unknown}'.`);
  }
  return names as Name[];
}
