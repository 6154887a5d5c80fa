import { type Observable, Subject } from 'rxjs';
import { lineOf, warnOnce } from '../warnings.js';
import { isolated } from './streams/isolated.js';

/** Why a reading, or a part of its way to the user, did not come about. Training goes on. */
export interface Problem {
  /** `failed`: something threw. `skipped`: a reading could not be tried, or not be put into the logs. */
  readonly kind: 'failed' | 'skipped';
  /** Training batches seen when it happened. */
  readonly step: number;
  /** Zero-based epoch in which it happened. */
  readonly epoch: number;
  /** One line. */
  readonly message: string;
  /** What was thrown, if something was. */
  readonly error?: unknown;
}

/** Where problems go: into a stream, and the first time to the console as well. */
export interface Problems {
  /** Hot. It never errors. */
  readonly problems$: Observable<Problem>;
  /** What was not done, and why. */
  skip(message: string): void;
  /** The same without the console, for what is bound to happen again and again, and as it should. */
  skipQuietly(message: string): void;
  /** Something threw: `what` failed, or a reading. */
  fail(what: string | undefined, error: unknown): void;
  /** Only the console. `about`: what must not be said again; the message itself where it is not given. */
  warn(message: string, about?: string): void;
  complete(): void;
}

/**
 * @param name whose problems they are, for the console.
 * @param now the training batches seen so far, and the epoch.
 */
export function problemsOf(name: string, now: () => Pick<Problem, 'step' | 'epoch'>): Problems {
  const problems = new Subject<Problem>();
  const warn = warnOnce(`tfjs-sharpness, ${name}`);
  const problem = (kind: Problem['kind'], message: string): Problem => {
    const { step, epoch } = now();
    return { kind, step, epoch, message };
  };
  return {
    problems$: isolated(problems, (error) => warn(`a subscriber to problems$ threw: ${error}`)),
    skip(message) {
      warn(message);
      problems.next(problem('skipped', message));
    },
    skipQuietly(message) {
      problems.next(problem('skipped', message));
    },
    fail(what, error) {
      const message = what === undefined ? lineOf(error) : `${what}: ${lineOf(error)}`;
      warn(message);
      problems.next({ ...problem('failed', message), error });
    },
    warn,
    complete: () => problems.complete(),
  };
}
