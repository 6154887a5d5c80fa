/**
 * Says a line the first time.
 *
 * @param about what must not be said again: the line itself where nothing else is given. An object is not kept alive by it.
 */
export type SayOnce = (message: string, about?: string | object) => void;

/** Warnings on the console, each once, that begin with `scope`. */
export function warnOnce(scope: string): SayOnce {
  return once((message) => console.warn(`${scope}: ${message}`));
}

let inform = (line: string): void => console.info(line);

/** The same for what is no warning. */
export function informOnce(scope: string): SayOnce {
  return once((message) => inform(`${scope}: ${message}`));
}

/** Says what is no warning in another place than on the console, which in Node is standard output. */
export function informBy(say: (line: string) => void): void {
  inform = say;
}

/** What was thrown, in its own words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * What was thrown, in one line. Its lines are joined: TensorFlow's status stands in the first, `Invalid TF_Status: 3`, and its reason
 * in the second.
 */
export function lineOf(error: unknown): string {
  return reasonOf(error)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ');
}

function once(say: (message: string) => void): SayOnce {
  const lines = new Set<string>();
  const objects = new WeakSet<object>();
  return (message, about = message) => {
    if (typeof about === 'string' ? lines.has(about) : objects.has(about)) {
      return;
    }
    if (typeof about === 'string') {
      lines.add(about);
    } else {
      objects.add(about);
    }
    say(message);
  };
}
