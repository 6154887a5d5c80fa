import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { counted } from '../names.js';
import { lineOf } from '../warnings.js';
import { readCsvReadings } from './csv-readings.js';
import { eventFilesIn, isEventFile, readEventFiles } from './event-files.js';
import { readJsonLines } from './json-lines.js';
import { readJson } from './json-readings.js';
import { type ReportRun, runRecorder, type Take } from './report-run.js';
import { shortNames } from './short-names.js';

/** What was found at a path. */
export interface ReportFile {
  readonly kind: 'JSON lines' | 'JSON' | 'CSV' | 'TensorBoard';
  readonly runs: readonly ReportRun[];
  /** What was left out, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Reads the readings of a file, or the TensorBoard event files of a folder and of those in it.
 *
 * @param name of the run; of several in one file it begins their names.
 * @throws Error with one line where nothing is there, where it is empty or of another kind, and where it holds no reading.
 */
export async function readReportFile(path: string, name: string): Promise<ReportFile> {
  const recorders = new Map<string, ReturnType<typeof runRecorder>>();
  const take: Take = (object, part = '') => {
    const recorder = recorders.get(part) ?? runRecorder();
    recorders.set(part, recorder);
    recorder.take(object);
  };
  const { kind, notes } = await readPath(path, take);
  const parts = [...recorders]
    .map(([part, recorder]) => recorder.run(part === '' ? name : `${name}, ${part}`))
    .map((run) => (kind === 'TensorBoard' ? { ...run, unit: 'step' as const } : run));
  const runs = parts.filter(({ points }) => points.length > 0);
  if (runs.length === 0) {
    const others = parts.reduce((sum, run) => sum + run.others, 0);
    const what = others > 0 ? `: ${counted(others, 'object')} without a number minimumSharpness` : '';
    throw new Error(`'${path}' holds no readings${[what, ...notes].join('; ')}.`);
  }
  return { kind, runs, notes: [...notes, ...runs.flatMap(notesOf)] };
}

function notesOf({ others, replaced, unit }: ReportRun): string[] {
  // Of one step there may be two saved models, or one that was overwritten.
  const since = unit === 'step' ? 'of the same step' : 'of the same steps, since the training was resumed';
  return [
    ...(others > 0 ? [`${counted(others, 'object')} left out, which are no readings`] : []),
    ...(replaced > 0 ? [`${counted(replaced, 'reading')} replaced by later ones ${since}`] : []),
  ];
}

type Found = Pick<ReportFile, 'kind' | 'notes'>;

async function readPath(path: string, take: Take): Promise<Found> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (error) {
    throw new Error(`cannot read '${path}': ${lineOf(error)}`, { cause: error });
  }
  if (isFolder) {
    return readFolder(path, take);
  }
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new Error(`cannot read '${path}': ${lineOf(error)}`, { cause: error });
  }
  if (isEventFile(basename(path), bytes)) {
    return { kind: 'TensorBoard', notes: await readEventFiles([path], take) };
  }
  const text = inUtf8(bytes);
  // What a machine that went down leaves may begin with NULs.
  const first = String.fromCharCode(text.find((byte) => byte > 32) ?? 0);
  if (first === '\0') {
    throw new Error(`'${path}' is empty.`);
  }
  if (first === '{' || first === '[') {
    const lines = readJsonLines(text, take);
    return lines ? { kind: 'JSON lines', notes: lines } : { kind: 'JSON', notes: readJson(path, text, take) };
  }
  const table = readCsvReadings(text, take);
  if (table === undefined) {
    throw new Error(
      `'${path}' is none of what a report is made of: JSON lines, CSV or JSON of readings, TensorBoard's event files or a folder of them.`,
    );
  }
  return { kind: 'CSV', notes: table };
}

async function readFolder(folder: string, take: Take): Promise<Found> {
  const folders = await eventFilesIn(folder);
  if (folders.size === 0) {
    throw new Error(`'${folder}' is a folder without event files of TensorBoard: name the files of readings in it.`);
  }
  const names = shortNames([...folders.keys()]);
  const notes: string[] = [];
  for (const [i, files] of [...folders.values()].entries()) {
    const ofFolder = await readEventFiles(files, (object, prefix) =>
      take(object, [folders.size > 1 ? names[i] : undefined, prefix].filter(Boolean).join(', ')),
    );
    notes.push(...ofFolder.map((note) => (folders.size > 1 ? `${names[i]}: ${note}` : note)));
  }
  return { kind: 'TensorBoard', notes };
}

/** Text as it comes out of Windows' PowerShell is UTF-16. */
function inUtf8(bytes: Uint8Array): Uint8Array {
  const mark = [...bytes.subarray(0, 3)].map((byte) => byte.toString(16)).join('');
  if (mark.startsWith('fffe') || mark.startsWith('feff')) {
    return new TextEncoder().encode(new TextDecoder(mark.startsWith('fffe') ? 'utf-16le' : 'utf-16be').decode(bytes));
  }
  return mark === 'efbbbf' ? bytes.subarray(3) : bytes;
}
