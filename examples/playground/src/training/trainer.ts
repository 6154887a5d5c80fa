import { lineOf } from './line-of-error.js';
import type { Command, Report } from './messages.js';

/** Where training runs: takes commands, and tells what happens. */
export interface Trainer {
  send(command: Command): void;
  dispose(): void;
}

/** In a thread of its own: the page never waits for it. */
export function workerTrainer(report: (message: Report) => void): Trainer {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  let run = 0;
  worker.onmessage = ({ data }: MessageEvent<Report>) => report(data);
  worker.onerror = (event) =>
    report({ kind: 'failed', run, message: `The worker failed: ${event.message ?? 'its file could not be loaded'}.` });
  return {
    send(command) {
      run = command.kind === 'start' ? command.run : run;
      worker.postMessage(command);
    },
    dispose: () => worker.terminate(),
  };
}

/** In the page itself: the same code, loaded when it is needed. */
export function pageTrainer(report: (message: Report) => void): Trainer {
  let disposed = false;
  const reportUnlessDisposed = (message: Report) => {
    if (!disposed) {
      report(message);
    }
  };
  const session = import('./session.js').then(({ trainingSession }) => trainingSession(reportUnlessDisposed));
  session.catch((error) => report({ kind: 'failed', run: 0, message: lineOf(error) }));
  const withSession = (use: (take: (command: Command) => void) => void) => session.then(use, () => {});
  return {
    send(command) {
      withSession((take) => take(command));
    },
    dispose() {
      withSession((take) => take({ kind: 'stop' }));
      disposed = true;
    },
  };
}
