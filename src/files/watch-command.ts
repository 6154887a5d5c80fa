import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { printable, type SharpnessReading } from '../measure/reading.js';
import { jsonLinesFile, jsonText, readJsonLines } from '../training/files/json-lines.js';
import { checkLocalPath } from '../training/files/local-path.js';
import { otherWriter } from '../training/tensorboard/other-writer.js';
import { tensorBoardWriter } from '../training/tensorboard/writer.js';
import { lineOf } from '../warnings.js';
import { checkpointName } from './checkpoint-step.js';
import type { Checkpoint } from './checkpoints.js';
import { type Complain, complainOf, exitCodeOf, FAILED } from './failure.js';
import { fileMeasurer } from './measure-files.js';
import { informByOptions, type MeasuringWords, measuringOptions } from './measuring-run.js';
import { inOptionWords } from './option-words.js';
import { progressLine } from './progress-line.js';
import { checkWritable, readingsFile } from './readings-file.js';
import { watchFolder } from './watch-folder.js';

/** Options of the command line, as words and numbers. */
export interface WatchCommandOptions extends MeasuringWords {
  readonly tensorboard?: string;
  readonly jsonl?: string;
  readonly once?: boolean;
}

/** What a line of the file has besides the reading. */
interface Line {
  readonly model?: string;
  readonly run?: string;
  readonly savedMs?: number;
  readonly step?: number;
}

/** `npx tfjs-sharpness watch`: a reading of each checkpoint of a folder as it comes. */
export async function watchCommand(folder: string, options: WatchCommandOptions, complain: Complain): Promise<void> {
  const { tensorboard, jsonl, once = false, ...words } = options;
  const progress = progressLine(process.stderr);
  informByOptions(progress);
  const say = (line: string) => {
    progress.end();
    console.error(`tfjs-sharpness: ${line}`);
  };
  const path = jsonl === '-' ? undefined : jsonl;
  try {
    const append = path === undefined ? undefined : readingsFile('--jsonl', path, jsonLinesFile, complain);
    const lines = path !== undefined && existsSync(path) ? readJsonLines<Line>(path) : [];
    const known = new Set(lines.map(({ model = '', savedMs }) => keyOf(model, savedMs)));
    const steps = stepsOfRuns(folder, lines, say);
    const boards = tensorboard === undefined ? undefined : boardsOfRuns(tensorboard, complain);
    const { measure, readData } = await fileMeasurer({
      ...measuringOptions(words),
      onProgress: (each) => progress.show(each),
      onNote: (model, note) => say(`${model}: ${note}`),
    });
    await readData();
    await folderThere(folder, once, say);
    await watchFolder(folder, measure, {
      once,
      isKnown: ({ path, savedMs }: Checkpoint) => known.has(keyOf(path, savedMs)),
      onProblem: ({ model, problem, kind }) => {
        progress.end();
        complain(`${model}: ${inOptionWords(problem)}`, exitCodeOf(kind));
      },
      onReading: ({ model, ...reading }, { path, savedMs }) => {
        progress.end();
        const { run, step } = steps.of(path);
        const line = printable({ model, ...(run !== '' && { run }), step, savedMs, ...reading });
        // First: what is in the file is not measured again.
        boards?.write(run, line);
        if (append) {
          append(line);
        } else {
          // The step of a checkpoint may be one of epochs.
          const { step: _, ...others } = line;
          const text = jsonl === '-' ? jsonText(line) : `${model}, step ${step}: ${printable(others)}`;
          process.stdout.write(`${text}\n`);
        }
      },
    });
    boards?.complete();
  } catch (error) {
    progress.end();
    complainOf(error, complain);
  }
}

const keyOf = (model: string, savedMs: number | undefined) => `${resolve(model)} ${savedMs}`;

/** Gives each checkpoint its run and its step, counted on from those of before where the name has none. It says where steps come from. */
function stepsOfRuns(folder: string, lines: readonly Line[], say: (line: string) => void) {
  const last = new Map<string, number>();
  const told = new Map<string, string>();
  /** By run and step, the checkpoint. */
  const places = new Map<string, string>();
  const shared = new Set<string>();
  const note = (run: string, step: number, path: string) => {
    last.set(run, Math.max(step, last.get(run) ?? -1));
    const key = `${step} ${run}`;
    const before = places.get(key);
    places.set(key, path);
    return before !== undefined && resolve(before) !== resolve(path) ? before : undefined;
  };
  for (const { run = '', step, model = '' } of lines) {
    if (step !== undefined) {
      note(run, step, model);
    }
  }
  return {
    of(path: string): { readonly run: string; readonly step: number } {
      const { run, step: named, how } = checkpointName(folder, path);
      const step = named ?? (last.get(run) ?? -1) + 1;
      const other = note(run, step, path);
      if (other !== undefined && !shared.has(run)) {
        shared.add(run);
        say(
          `${path}: step ${step} is that of ${other}, too, of which reports keep the later: give each a number of its own, or a folder`,
        );
      }
      if (told.get(run) !== how) {
        told.set(run, how);
        say(`${path}${run === '' ? '' : `, run '${run}'`}: step ${step}, ${how}`);
      }
      return { run, step };
    },
  };
}

/**
 * A folder of TensorBoard for each run, which is made with its first reading. One that cannot be made costs a line, and does not end the
 * command.
 *
 * @throws Error with one line where the folder of all cannot be written or made, or others write to it.
 */
function boardsOfRuns(folder: string, complain: Complain) {
  checkBoard(folder);
  const writers = new Map<string, ReturnType<typeof tensorBoardWriter>>();
  const of = (run: string) => {
    // Those that are measured after a restart may be of any step.
    const writer = writers.get(run) ?? tensorBoardWriter(join(folder, ...run.split('/')), { purge: false });
    writers.set(run, writer);
    return writer;
  };
  return {
    write(run: string, reading: SharpnessReading & Line) {
      try {
        of(run).next(reading);
      } catch (error) {
        complain(`--tensorboard misses ${reading.model}, step ${reading.step}: ${lineOf(error)}`, FAILED);
      }
    },
    complete() {
      for (const writer of writers.values()) {
        writer.complete();
      }
    },
  };
}

/** Makes nothing. */
function checkBoard(folder: string): void {
  checkLocalPath('--tensorboard', folder);
  try {
    checkWritable(folder);
    if (existsSync(folder) && !statSync(folder).isDirectory()) {
      throw new Error('it is a file, name a folder');
    }
    const other = existsSync(folder) ? otherWriter(folder) : undefined;
    if (other) {
      throw new Error(`${other.name} is writing to it, name another folder`);
    }
  } catch (error) {
    throw new Error(`--tensorboard: cannot write to '${folder}': ${lineOf(error)}.`, { cause: error });
  }
}

/** A training makes its folder when it begins. */
async function folderThere(folder: string, once: boolean, say: (line: string) => void): Promise<void> {
  const stats = () => statSync(folder, { throwIfNoEntry: false });
  if (!once && stats() === undefined) {
    say(`'${folder}' is not there yet: waiting for it.`);
    while (stats() === undefined) {
      await pause(1000);
    }
  }
  if (!stats()?.isDirectory()) {
    throw new Error(`'${folder}' is no folder${stats() ? '' : ': there is none of that name'}.`);
  }
}
