import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs a command in a process group of its own, and ends the group when standard input does. That is a pipe whose other end this
 * process holds alone, so that the system closes it however this process ends, by SIGKILL too; a handler for signals or `exit`
 * could not promise that, and `kill` of a child leaves the child's children running.
 */
const supervisor = `
import os, signal, subprocess, sys, threading
def end():
  os.read(0, 1)
  os.killpg(0, signal.SIGKILL)
threading.Thread(target=end, daemon=True).start()
code = subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL, close_fds=False)
sys.exit(code if code >= 0 else 128 - code)
`;

export interface DependentOptions extends Pick<SpawnOptions, 'cwd' | 'env'> {
  /** Ends the command and all it has started. */
  readonly signal?: AbortSignal;
  /** Gets what the command writes, to stdout and stderr, as it comes. */
  readonly onOutput?: (chunk: Buffer) => void;
  /** An open file that the command finds as its file 3. */
  readonly file?: number;
}

/**
 * Runs a command and waits for it; it ends, with all that it has started, when this process ends or `signal` is aborted. Its exit
 * code (128 and the signal's number where a signal ended it) and the end of what it wrote to stderr.
 * @throws what `signal` was aborted with, once the command has ended; Error where `python` cannot be run
 */
export async function runDependent(
  python: string,
  command: readonly string[],
  { signal, onOutput, file, ...options }: DependentOptions = {},
): Promise<{ code: number | null; stderr: string }> {
  signal?.throwIfAborted();
  // -I: a signal.py in the user's folder is not Python's own.
  const child = spawn(python, ['-I', '-c', supervisor, ...command], {
    ...options,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', ...(file === undefined ? [] : [file])],
  });
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk).slice(-20_000);
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => onOutput?.(chunk));
  }
  const end = () => child.stdin?.destroy();
  signal?.addEventListener('abort', end);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    signal?.throwIfAborted();
    return { code, stderr };
  } finally {
    signal?.removeEventListener('abort', end);
  }
}
