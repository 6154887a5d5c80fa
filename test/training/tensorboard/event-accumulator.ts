import { execFileSync } from 'node:child_process';
import { tensorBoardInstalled } from '../../../scripts/tensorboard-server.js';

if (!tensorBoardInstalled) {
  const line =
    'TensorBoard is not installed: its tests are skipped. To run them: scripts/tensorboard-venv.sh && npm test';
  if (process.env.CI) {
    throw new Error(line);
  }
  console.warn(line);
}

/** One chart, as TensorBoard's own reader finds it. */
export interface AccumulatedChart {
  /** `[step, value]`. */
  readonly points: [number, number][];
  readonly wallTimes: number[];
  readonly plugin?: string;
  readonly dataClass?: string;
  readonly description?: string;
}

/** Reads the event files of a folder with TensorBoard's EventAccumulator, by tag. */
export function accumulateEvents(logdir: string): Record<string, AccumulatedChart> {
  const output = execFileSync('.venv/bin/python', ['test/training/tensorboard/read_events.py', logdir], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Values come as text, for JSON has no Infinity.
  return JSON.parse(output, (key, value) =>
    key === 'points' ? value.map(([step, text]: [number, string]) => [step, Number(text)]) : value,
  );
}
