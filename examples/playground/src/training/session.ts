import { backendStates, lossTold, startBackend } from './backends.js';
import { lineOf } from './line-of-error.js';
import type { Command, Report } from './messages.js';
import { type TrainingRun, trainingRun } from './training-run.js';

/** Milliseconds. */
const TO_END_IN = 2000;

const passed = (milliseconds: number) => new Promise((go) => setTimeout(go, milliseconds));

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
  /** The run that was to stop last, likewise. */
  let unwanted: number | undefined;
  /** Of a run, where its device is lost: nothing that it says counts any more. */
  let lost: number | undefined;
  /** The end of the run before. */
  let ended: Promise<unknown> = Promise.resolve();

  /** The run is to end and to free what it has. Where its device is lost it may wait for that for ever: it has a while. */
  function end(within?: number): void {
    const freed = run?.dispose().catch(() => {});
    run = undefined;
    ended = within === undefined ? Promise.resolve(freed) : Promise.race([freed, passed(within)]);
  }

  function lose(message: string): void {
    end(TO_END_IN);
    if (lost !== latest) {
      lost = latest;
      report({ kind: 'failed', run: latest, message });
    }
  }

  async function start(number: number, settings: Extract<Command, { kind: 'start' }>['settings']): Promise<void> {
    latest = number;
    const reportOfRun = async (message: Report) => {
      if (message.kind === 'failed') {
        await lossTold();
      }
      if (lost !== number) {
        report(message);
      }
    };
    try {
      if (run !== undefined) {
        end();
      }
      await ended;
      await startBackend(settings.backend, lose);
      run = await trainingRun(number, settings, reportOfRun);
    } catch (error) {
      reportOfRun({ kind: 'failed', run: number, message: lineOf(error) });
      return;
    }
    if (lost === number) {
      end(TO_END_IN);
    } else if (unwanted === number) {
      end();
    } else {
      await run.train();
    }
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
      case 'stop':
        unwanted = latest;
        run?.stop();
        break;
      default:
        run?.[command.kind]();
    }
  };
}
