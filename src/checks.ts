/**
 * Refuses options that there are not: left alone, a slip would go unnoticed.
 *
 * @param where what the options belong to, for the message.
 * @param options as given; none at all is fine.
 * @param known every option there is, as keys.
 * @throws Error with one line that names the first option which is none.
 */
export function checkKnownOptions(where: string, options: unknown, known: Readonly<Record<string, true>>): void {
  const names = Object.keys(known);
  if (options !== undefined && (typeof options !== 'object' || options === null || Array.isArray(options))) {
    throw new Error(`${where}: options must be an object of ${names.join(', ')}, but they are ${options}.`);
  }
  const stranger = Object.keys(options ?? {}).find((name) => !Object.hasOwn(known, name));
  if (stranger !== undefined) {
    throw new Error(`${where}: there is no option '${stranger}', only ${names.join(', ')}.`);
  }
}
