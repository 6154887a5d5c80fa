/*
 * Signals as every runtime has them: React Native lacks `throwIfAborted`, `AbortSignal.any` and a signal's `reason`, and Safari has
 * `any` since 17.4.
 */

/** @throws what the signal was aborted with, or an `AbortError` in one line where the runtime keeps no reason. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    const { reason = Object.assign(new Error('The signal was aborted.'), { name: 'AbortError' }) } = signal;
    throw reason;
  }
}

/**
 * Runs with a signal that is aborted with the first of several. Afterwards they know nothing of it: one may live for thousands of runs.
 *
 * @param signals those that are undefined do not count.
 */
export async function withFirstOf<T>(
  signals: readonly (AbortSignal | undefined)[],
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const given = signals.filter((signal) => signal !== undefined);
  const first = new AbortController();
  const abort = () => first.abort(given.find(({ aborted }) => aborted)?.reason);
  for (const signal of given) {
    signal.addEventListener('abort', abort);
  }
  if (given.some(({ aborted }) => aborted)) {
    abort();
  }
  try {
    return await run(first.signal);
  } finally {
    for (const signal of given) {
      signal.removeEventListener('abort', abort);
    }
  }
}
