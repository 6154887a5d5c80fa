import type { ChartReading } from '../chart/reading-words.js';
import { type ChartProblem, numberOf, receivedProblem, receivedReading } from '../chart/received.js';
import { type Entry, recordedRuns } from '../chart/recorded-runs.js';
import { halfInterval } from '../measure/half-interval.js';

/** What is not as it should be with a reading. */
export type Flaw = 'infinite' | 'collapsed' | 'unreliable';

/** A reading where it is drawn. */
export interface RunPoint {
  /** The step, or the number of a checkpoint, from 1. */
  readonly at: number;
  readonly reading: ChartReading;
  /** The file that was measured, where there is no step. */
  readonly model?: string;
  /** Ends of the 95% interval; none where the error cannot be trusted or is not known. */
  readonly low?: number;
  readonly high?: number;
  /** The gravest first. */
  readonly flaws: readonly Flaw[];
}

/** What did not come about, where it is marked. */
export interface RunProblem extends ChartProblem {
  readonly at: number;
}

/** A number that was logged, over steps. */
export interface LoggedPoint {
  readonly at: number;
  readonly value: number;
}

/** The readings of one training, or of checkpoints, as a report shows them. */
export interface ReportRun {
  readonly name: string;
  /** Whether its readings lie over the steps of a training. */
  readonly hasSteps: boolean;
  /** What a step is: a training batch, or whatever the names of checkpoints and TensorBoard count. */
  readonly unit: 'batch' | 'step';
  /** In the order of the axis. */
  readonly points: readonly RunPoint[];
  readonly problems: readonly RunProblem[];
  /** By name: losses, metrics, what a controller has set. */
  readonly logged: ReadonlyMap<string, readonly LoggedPoint[]>;
  /** How many readings later ones of the same step have replaced: a training was resumed at an earlier one, a saved model overwritten. */
  readonly replaced: number;
  /** How many objects are neither readings nor anything else of a training. */
  readonly others: number;
}

/** What readers of files give objects to: `part` tells runs of one file from each other. */
export type Take = (object: object, part?: string) => void;

/** Takes what JSON lines hold, in their order, and makes a run of it. */
export interface RunRecorder {
  take(object: object): void;
  /** @param name as the report shall call it. */
  run(name: string): ReportRun;
}

type Fields = Readonly<Record<string, unknown>>;
type Taken = { readonly reading: ChartReading } | { readonly problem: ChartProblem & { readonly step?: number } };

/** What a report does not show takes no memory. */
const unused = ['pairs', 'exact', 'durationMs'];

/** Nothing yet. */
export function runRecorder(): RunRecorder {
  const taken: Taken[] = [];
  const logged = new Map<string, Map<number, number>>();
  const sentences = new Map<string, readonly string[]>();
  let others = 0;

  const log = (step: unknown, values: Fields | undefined, prefix = '') => {
    for (const [name, given] of typeof step === 'number' ? Object.entries(values ?? {}) : []) {
      const value = numberOf(given);
      if (value !== undefined) {
        const points = logged.get(prefix + name) ?? new Map<number, number>();
        logged.set(prefix + name, points.set(step as number, value));
      }
    }
  };
  const takeReading = (object: Fields) => {
    const kept = Object.fromEntries(Object.entries(object).filter(([name]) => !unused.includes(name)));
    const received = receivedReading(kept as unknown as ChartReading);
    const { logs, loss: given, ...reading } = received as ChartReading & { readonly logs?: Fields };
    const loss = numberOf(given);
    log(reading.step, logs);
    log(reading.step, { 'loss, measured': loss });
    // The same sentences come with all readings: once is enough.
    const key = JSON.stringify(reading.assumptions ?? []);
    const assumptions = sentences.get(key) ?? reading.assumptions?.map(String) ?? [];
    sentences.set(key, assumptions);
    taken.push({ reading: { ...reading, ...(loss !== undefined && { loss }), assumptions } });
  };

  return {
    take(object) {
      const fields = object as Fields;
      if (['number', 'string'].includes(typeof fields.minimumSharpness) || fields.minimumSharpness === null) {
        try {
          takeReading(fields);
        } catch {
          others++;
        }
      } else if ((fields.kind === 'failed' || fields.kind === 'skipped') && 'message' in fields) {
        taken.push({ problem: receivedProblem(fields) });
      } else if (typeof fields.model === 'string' && typeof fields.problem === 'string') {
        // A model that could not be measured.
        taken.push({ problem: { kind: 'failed', message: `${fields.model}: ${fields.problem}` } });
      } else if (typeof fields.logs === 'object' && fields.logs !== null) {
        log(fields.step, fields.logs as Fields);
      } else if (typeof fields.name === 'string' && 'previous' in fields) {
        log(fields.step, { [fields.name]: fields.value }, 'set: ');
      } else {
        others++;
      }
    },
    run(name) {
      const hasSteps = taken.some((each) => 'reading' in each && each.reading.step !== undefined);
      const isOfFiles = taken.every((each) => 'problem' in each || modelOf(each.reading) !== undefined);
      const { entries, replaced } = hasSteps ? overSteps(isOfFiles ? byStep(taken) : taken) : inOrder(taken);
      return {
        name,
        hasSteps,
        unit: isOfFiles ? 'step' : 'batch',
        points: entries.flatMap(({ step, reading }) => (reading ? [pointOf(step, reading)] : [])),
        problems: entries.flatMap(({ step, problem }) => (problem ? [{ ...problem, at: step }] : [])),
        logged: new Map(
          [...logged].map(([each, points]) => [
            each,
            [...points].map(([at, value]) => ({ at, value })).sort((a, b) => a.at - b.at),
          ]),
        ),
        replaced,
        others,
      };
    },
  };
}

/** The file that was measured. */
function modelOf(reading: ChartReading): string | undefined {
  const { model } = reading as { readonly model?: unknown };
  return typeof model === 'string' ? model : undefined;
}

/** Saved models do not come in the order of their steps; where one does later, no training was resumed there. Later readings of a step count. */
function byStep(taken: readonly Taken[]): Taken[] {
  let last = 0;
  const placed = taken.map((each) => {
    last = 'problem' in each ? (each.problem.step ?? last) : (each.reading.step ?? last + 1);
    return { each, step: last };
  });
  return placed.sort((a, b) => a.step - b.step).map(({ each }) => each);
}

type Placed = Pick<Entry, 'step' | 'reading' | 'problem'>;

/** As the live chart shows it: where steps go back, readings that are passed again are replaced. */
function overSteps(taken: readonly Taken[]): { entries: Placed[]; replaced: number } {
  const record = recordedRuns({ trace: false, layers: false });
  const run = record.addRun('');
  let last = 0;
  record.take(
    taken.map((each): Entry => {
      if ('problem' in each) {
        return { run, step: each.problem.step ?? last, problem: each.problem };
      }
      last = each.reading.step ?? last + 1;
      return { run, step: last, reading: each.reading };
    }),
  );
  const entries = record.rows.x.flatMap((_, row) => record.at(row));
  return { entries, replaced: record.entries.length - entries.length };
}

function inOrder(taken: readonly Taken[]): { entries: Placed[]; replaced: number } {
  let number = 0;
  const entries = taken.map((each): Placed => {
    if ('problem' in each) {
      return { step: number, problem: each.problem } as Placed;
    }
    number++;
    return { step: number, reading: each.reading } as Placed;
  });
  return { entries, replaced: 0 };
}

function pointOf(at: number, reading: ChartReading): RunPoint {
  const { minimumSharpness: value, standardError, reliable, collapsed, epoch } = reading;
  const flaws: Flaw[] = [
    ...(Number.isFinite(value) ? [] : ['infinite' as const]),
    ...(collapsed ? ['collapsed' as const] : []),
    ...(reliable === false ? ['unreliable' as const] : []),
  ];
  // An error that cannot be trusted makes no 95% interval, and a value of 0 or more has none below 0.
  const half = halfInterval({ standardError: standardError ?? Number.NaN });
  const hasInterval = reliable !== false && Number.isFinite(value) && Number.isFinite(half);
  const name = modelOf(reading) ?? (epoch === undefined ? undefined : `epoch ${epoch + 1}`);
  return {
    at,
    reading,
    flaws,
    ...(name !== undefined && { model: name }),
    ...(hasInterval && { low: value >= 0 ? Math.max(0, value - half) : value - half, high: value + half }),
  };
}
