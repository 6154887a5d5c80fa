import type { SharpnessReading } from 'tfjs-sharpness';
import { hashOf, type Settings } from './settings.js';
import type { EpochEnd } from './training/messages.js';

/** A run as it was seen by the page. */
export interface RecordedRun {
  readonly number: number;
  readonly settings: Settings;
  readonly readings: SharpnessReading[];
  readonly epochs: EpochEnd[];
}

const columns =
  'run,epoch,step,minimumSharpness,standardError,reliable,collapsed,trace,method,loss,accuracy,testLoss,testAccuracy,settings';

/** A line a reading, epochs from 0 as in the files of the package; loss and accuracy are those of the epoch that ended with it, where one did. Numbers in full. */
export function readingsCsv(runs: readonly RecordedRun[]): string {
  const lines = runs.flatMap(({ number, settings, readings, epochs }) =>
    readings.map((reading) => {
      const end = epochs.find(({ step }) => step === reading.step);
      return [
        number,
        reading.epoch,
        reading.step,
        reading.minimumSharpness,
        reading.standardError,
        reading.reliable,
        reading.collapsed,
        reading.trace,
        reading.method,
        end?.loss,
        end?.accuracy,
        end?.testLoss,
        end?.testAccuracy,
        hashOf(settings),
      ].join(',');
    }),
  );
  return `${[columns, ...lines].join('\n')}\n`;
}
