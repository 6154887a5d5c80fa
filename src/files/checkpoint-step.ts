import { basename, dirname, relative } from 'node:path';

/**
 * The step that the name of a checkpoint speaks of: the number behind a word such as epoch or step, else the first whole number of the file's
 * name, or of the folder's where the file is a model.json: 12 of `epoch12/model.json`, of `ckpt-00012.keras` and of
 * `weights.12-0.34.keras`.
 *
 * @param folder that is watched: names above it do not count.
 * @returns undefined where it speaks of none.
 */
export function checkpointStep(folder: string, path: string): number | undefined {
  const within = relative(folder, path);
  const name = basename(path) === 'model.json' ? dirname(within) : within.replace(/\.(keras|h5|hdf5)$/, '');
  const last = basename(name);
  const found =
    /(?:step|epoch|iter(?:ation)?|batch|ckpt|checkpoint)s?[-_=. ]?(\d+)(?!\d)/i.exec(last) ??
    /(?<!\d\.|\d|v)(\d+)(?!\.?\d)/i.exec(last);
  const step = Number(found?.[1] ?? Number.NaN);
  return Number.isSafeInteger(step) ? step : undefined;
}
