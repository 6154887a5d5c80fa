import { backendStates, startBackend } from './backends.js';
import { lineOf } from './line-of-error.js';
import type { Command, Report } from './messages.js';
import { type TrainingRun, trainingRun } from './training-run.js';

/**
 * Trains in whatever thread it is called in, the page or a worker: nothing below knows the document.
 *
 * @param report is told what happens.
 * @returns takes commands.
 */
export function trainingSession(report: (message: Report) => void): (command: Command) => void {
  let run: TrainingRun | undefined;
  /** The run that was asked for last, also where it is not there yet. */
  let latest = 0;
  /** Of a run, where its device is lost: nothing that it says counts any more. */
  let lost: number | undefined;

  async function start(number: number, settings: Extract<Command, { kind: 'start' }>['settings']): Promise<void> {
    latest = number;
    const reportOfRun = (message: Report) => {
      if (lost !== number) {
        report(message);
      }
    };
    try {
      await run?.dispose();
      run = undefined;
      await startBackend(settings.backend, (message) => {
        // What waits for the device may wait for ever, so it is left behind.
        run = undefined;
        if (lost !== latest) {
          lost = latest;
          report({ kind: 'failed', run: latest, message });
        }
      });
      run = await trainingRun(number, settings, reportOfRun);
    } catch (error) {
      reportOfRun({ kind: 'failed', run: number, message: lineOf(error) });
      return;
    }
    await run.train();
  }

  return (command) => {
    switch (command.kind) {
      case 'look for backends':
        backendStates().then((states) => report({ kind: 'backends', states }));
        break;
      case 'start':
        start(command.run, command.settings);
        break;
      case 'rescale':
        run?.rescale(command.layer, command.factor);
        break;
      default:
        run?.[command.kind]();
    }
  };
}
