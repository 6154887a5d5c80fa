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
export interface AccumulatedChart<Value = number> {
  /** `[step, value]`. */
  readonly points: [number, Value][];
  readonly wallTimes: number[];
  readonly plugin?: string;
  readonly dataClass?: string;
  readonly description?: string;
}

/** Reads the charts in the event files of a folder with TensorBoard's EventAccumulator, by tag. */
export function accumulateEvents(logdir: string): Record<string, AccumulatedChart> {
  const all = accumulateTags<number>(logdir, Number);
  return Object.fromEntries(
    Object.entries(all).filter(([, { plugin }]) => plugin === undefined || plugin === 'scalars'),
  );
}

/** Reads the texts in them. */
export function accumulateTexts(logdir: string): Record<string, AccumulatedChart<string>> {
  const all = accumulateTags<string>(logdir, String);
  return Object.fromEntries(Object.entries(all).filter(([, { plugin }]) => plugin === 'text'));
}

function accumulateTags<Value>(
  logdir: string,
  valueFrom: (text: string) => Value,
): Record<string, AccumulatedChart<Value>> {
  const output = execFileSync('.venv/bin/python', ['test/training/tensorboard/read_events.py', logdir], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Values come as text, for JSON has no Infinity.
  return JSON.parse(output, (key, value) =>
    key === 'points' ? value.map(([step, text]: [number, string]) => [step, valueFrom(text)]) : value,
  );
}
