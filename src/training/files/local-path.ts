/**
 * Refuses what Node would take by its letters, and make a folder `s3:` or `~` of.
 *
 * @param what the path names, as the message shall begin.
 * @throws Error with one line for an address and for a path that begins with `~/`.
 */
export function checkLocalPath(what: string, path: string): void {
  if (/^([a-z][\w+.-]+:\/\/|~[/\\])/i.test(path)) {
    throw new Error(
      `${what} '${path}' is no path that Node knows: write to a folder of this machine, named in full, and copy it from there`,
    );
  }
}
