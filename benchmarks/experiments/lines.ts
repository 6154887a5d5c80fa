import { join } from 'node:path';
import { readLines } from '../json-lines.js';
import type { Cost } from './cost.js';
import { nameOf } from './grid.js';
import type { Measured } from './measure.js';
import { costsFile, measuresFile, sweepFile, trainingsFile } from './places.js';
import type { SweepTraining } from './sweep.js';
import type { Snapshot, Training } from './training.js';

/** A snapshot with all that was measured of it, by name. */
export type Look = Snapshot & Readonly<Record<string, number>>;

/** A network with all that is known of it. */
export interface Run extends Training {
  readonly snapshots: readonly Look[];
}

/** A network of the sweep. */
export interface SweepRun extends SweepTraining {
  readonly snapshots: readonly Look[];
}

/** What lies in a folder of results. */
export interface Lines {
  readonly runs: readonly Run[];
  readonly sweep: readonly SweepRun[];
  readonly costs: readonly Cost[];
}

export function linesIn(folder: string): Lines {
  const measured = new Map<string, Record<string, number>>();
  const key = (name: string, epoch: number) => `${name} ${epoch}`;
  for (const line of readLines<Measured>(join(folder, measuresFile))) {
    const place = key(nameOf(line), line.epoch);
    measured.set(place, { ...measured.get(place), ...line.values });
  }
  const runs = readLines<Training>(join(folder, trainingsFile)).map((training) => ({
    ...training,
    snapshots: training.snapshots.map((snapshot) => ({
      ...snapshot,
      ...measured.get(key(nameOf(training), snapshot.epoch)),
    })),
  }));
  return { runs, sweep: readLines<SweepRun>(join(folder, sweepFile)), costs: readLines<Cost>(join(folder, costsFile)) };
}
