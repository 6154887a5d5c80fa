import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { printable } from '../measure/reading.js';
import { jsonLinesFile, jsonText, readJsonLines } from '../training/files/json-lines.js';
import { checkLocalPath } from '../training/files/local-path.js';
import { tensorBoardWriter } from '../training/tensorboard/writer.js';
import { lineOf } from '../warnings.js';
import { checkpointStep } from './checkpoint-step.js';
import type { Checkpoint } from './checkpoints.js';
import { type Complain, complainOf, exitCodeOf, FAILED } from './failure.js';
import { fileMeasurer } from './measure-files.js';
import { type MeasuringWords, measuringOptions } from './measuring-run.js';
import { progressLine } from './progress-line.js';
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
  readonly savedMs?: number;
  readonly step?: number;
}

/** `npx tfjs-sharpness watch`: a reading of each checkpoint of a folder as it comes. */
export async function watchCommand(folder: string, options: WatchCommandOptions, complain: Complain): Promise<void> {
  const { tensorboard, jsonl, once = false, ...words } = options;
  const progress = progressLine(process.stderr);
  const say = (line: string) => {
    progress.end();
    console.error(`tfjs-sharpness: ${line}`);
  };
  const inFile = jsonl !== undefined && jsonl !== '-';
  try {
    if (inFile) {
      checkLocalPath('--jsonl', jsonl);
    }
    const lines = inFile && existsSync(jsonl) ? readJsonLines<Line>(jsonl) : [];
    const known = new Set(lines.map(({ model = '', savedMs }) => keyOf(model, savedMs)));
    let last = Math.max(-1, ...lines.map(({ step = -1 }) => step));
    const append =
      inFile &&
      jsonLinesFile(
        {
          onCut: (line) => say(`--jsonl ${jsonl}: its last line was cut off, and is taken away: ${line.slice(0, 200)}`),
          onReplaced: () =>
            say(`--jsonl ${jsonl}: it was removed or replaced: later readings go to the file that has its name now`),
        },
        resolve(jsonl),
      );
    const { measure, readData } = await fileMeasurer({
      ...measuringOptions(words),
      onProgress: (each) => progress.show(each),
      onNote: (model, note) => say(`${model}: ${note}`),
    });
    await readData();
    const writer = tensorboard === undefined ? undefined : tensorBoardWriter(tensorboard);
    await folderThere(folder, once, say);
    await watchFolder(folder, measure, {
      once,
      isKnown: ({ path, savedMs }: Checkpoint) => known.has(keyOf(path, savedMs)),
      onProblem: ({ model, problem, kind }) => {
        progress.end();
        complain(`${model}: ${problem}`, exitCodeOf(kind));
      },
      onReading: ({ model, ...reading }, { path, savedMs }) => {
        progress.end();
        const step = checkpointStep(folder, path) ?? last + 1;
        last = Math.max(last, step);
        const line = { model, step, savedMs, ...reading };
        // First: what is in the file is not measured again.
        writer?.next(line);
        try {
          if (append) {
            append(line);
          } else {
            process.stdout.write(jsonl === '-' ? `${jsonText(line)}\n` : `${model}: ${printable(line)}\n`);
          }
        } catch (error) {
          complain(`--jsonl: '${jsonl}' misses ${model}: ${lineOf(error)}`, FAILED);
        }
      },
    });
    writer?.complete();
  } catch (error) {
    progress.end();
    complainOf(error, complain);
  }
}

const keyOf = (model: string, savedMs: number | undefined) => `${resolve(model)} ${savedMs}`;

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
