import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** One repetition, as a contestant's process reports it. */
export interface Repetition {
  readonly ms: number;
  /** User and system time of all its threads. */
  readonly cpuMs: number;
  readonly trace: number;
  /** The largest eigenvalues, where these are what it is after. */
  readonly values?: readonly number[];
}

/** A contestant's process that runs one repetition at a request. */
export interface Child<R = Repetition> {
  /** Versions it reports, or why it does not take part. */
  readonly ready: { readonly versions: Record<string, string> } | { readonly infeasible: string };
  /**
   * @param request one line that says what to repeat, for a process that can do several things.
   * @returns undefined when it takes longer than the limit, which ends the process, or fails.
   */
  repeat(limitMs: number, request?: string): Promise<R | undefined>;
  /** The end of what it said on its standard error. */
  complaint(): string;
  stop(): Promise<void>;
}

/**
 * Starts a process that says one line of JSON when it is ready, and one for every line it is sent.
 *
 * @param limitMs how long it may take until it is ready.
 * @param threads of TensorFlow and PyTorch.
 */
export async function startChild<R = Repetition>(
  command: string,
  args: readonly string[],
  limitMs: number,
  threads: number,
): Promise<Child<R>> {
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      TF_CPP_MIN_LOG_LEVEL: '2',
      OMP_NUM_THREADS: `${threads}`,
      TF_NUM_INTRAOP_THREADS: `${threads}`,
    },
  });
  let complaint = '';
  child.stderr.on('data', (text) => {
    complaint = `${complaint}${text}`.slice(-2000);
  });
  const gone = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      complaint = code === 'ENOENT' ? 'not installed' : message;
      resolve();
    });
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  /** The next line of JSON; tf.js greets with lines of other kinds. */
  const message = async (): Promise<Record<string, unknown> | undefined> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) {
        return undefined;
      }
      if (value.startsWith('{')) {
        return JSON.parse(value);
      }
    }
  };
  const stop = async () => {
    child.kill('SIGKILL');
    await gone;
  };
  const first = await within(limitMs, message());
  if (!first) {
    await stop();
    const last = complaint.trim().split('\n').at(-1);
    return {
      ready: { infeasible: last ? `failed: ${last}` : 'not ready in time' },
      repeat: async () => undefined,
      complaint: () => complaint,
      stop,
    };
  }
  const { infeasible, ready } = first as { infeasible?: string; ready?: Record<string, string> };
  return {
    ready: infeasible === undefined ? { versions: ready ?? {} } : { infeasible },
    async repeat(limit, request = '') {
      ask(child, request);
      const answer = (await within(limit, message())) as R | undefined;
      if (!answer) {
        await stop();
      }
      return answer;
    },
    complaint: () => complaint,
    stop,
  };
}

/** What takes less than this is repeated in every turn, and counts once it has run for so long as follows. */
const SHORT_MS = 2000;
const WARM_MS = 300;
/** What the repetitions of a turn take together. */
const TURN_MS = 1000;

/** How turns are taken, for a report. */
export const howTurnsAreTaken =
  `In every turn, what takes less than ${SHORT_MS / 1000} s is repeated for ${TURN_MS / 1000} s, and counts after the first ` +
  `${WARM_MS / 1000} s: while other processes have their turns, caches go cold and threads asleep, and in a training run they are not.`;

/**
 * One turn of a contestant.
 *
 * @param expectedMs what a repetition takes.
 * @returns the repetitions that count; undefined when one takes longer than the limit.
 */
export async function takeTurn<R extends Repetition>(
  child: Child<R>,
  expectedMs: number,
  limitMs: number,
): Promise<R[] | undefined> {
  const counted: R[] = [];
  const isShort = expectedMs < SHORT_MS;
  for (let spent = 0; counted.length === 0 || (isShort && spent < TURN_MS); ) {
    const repetition = await child.repeat(limitMs);
    if (!repetition) {
      return undefined;
    }
    if (!isShort || spent >= WARM_MS) {
      counted.push(repetition);
    }
    spent += repetition.ms;
  }
  return counted;
}

function ask(child: ChildProcess, request: string): void {
  child.stdin?.write(`${request}\n`);
}

/** What the promise gives, or undefined when it takes too long. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
