import { lineOf } from '../warnings.js';

/** What the input is not to blame for: a package that is missing, a backend that does not start, a disk that is full. */
export class Failure extends Error {}

/** What a machine says that has not enough, in tf.js' words and in those of engines of JavaScript and of drivers. */
const exhausted =
  /out of memory|OOM when|allocation failed|Invalid (typed )?array length|TF_Status: 8\b|lost (its )?context|no space left/i;

/** Faults of a program show as these; what is wrong with an input is told by a plain Error. */
const faults = [TypeError, ReferenceError, SyntaxError, EvalError];

/** Whether something failed that the input is not to blame for. */
export function isFailure(error: unknown): boolean {
  return (
    !(error instanceof Error) ||
    error instanceof Failure ||
    faults.some((fault) => error instanceof fault) ||
    exhausted.test(error.message)
  );
}

/** What was thrown, in one line, and whether the input is to blame. */
export function problemOf(error: unknown): { readonly problem: string; readonly kind: 'input' | 'failure' } {
  return { problem: lineOf(error), kind: isFailure(error) ? 'failure' : 'input' };
}

/** Exit codes of the command line beside 0: something failed that the input is not to blame for; wrong input. A signal ends by itself. */
export const FAILED = 1;
export const WRONG_INPUT = 2;
export const exitCodeOf = (kind: 'input' | 'failure') => (kind === 'failure' ? FAILED : WRONG_INPUT);

/** Says a line on standard error and sets the exit code. */
export type Complain = (line: string, exitCode: number) => void;

/** What was thrown, in its line and with its exit code. */
export function complainOf(error: unknown, complain: Complain): void {
  const { problem, kind } = problemOf(error);
  complain(problem, exitCodeOf(kind));
}

/** Signals by which a terminal or an operator ends a program. */
export const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
