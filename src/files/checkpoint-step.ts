import { basename, dirname, relative, sep } from 'node:path';

/** What the name of a checkpoint says of the training that it is of. */
export interface CheckpointName {
  /** Folders between the one that is watched and the checkpoint, by '/': a training each; '' where there are none. */
  readonly run: string;
  /** Undefined where it is to be counted. */
  readonly step?: number;
  /** Where the step comes from, or why there is none, in a few words. */
  readonly how: string;
}

/** Words that a step stands behind, those that tell most first: of `epoch=3-step=500` it is 500. The e of e2e is none. */
const wordsBefore = ['step', 'iteration|iter|it', 'epoch|ep|(?<!\\d)e', 'checkpoint|chkpt|ckpt|cp'];
/** A folder that is of a step, and of nothing else: `ep50_bs32` is a training. */
const stepsAlone = new RegExp(`^(?:(?:${wordsBefore.join('|')})s?[-_=. ]?\\d+[-_ ]?)+$`, 'i');
/** Words that a step stands before. */
const wordsBehind = ['step', 'iteration|iter', 'epoch'];
/** A day, perhaps with its time. */
const date =
  /(?<!\d)(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?:[-T_ .]?\d\d[-_:.h]?\d\d(?:[-_:.m]?\d\d)?(?:[-.]\d{3})?Z?)?(?!\d)/g;
/** Seconds or milliseconds since 1970, from 2001 on. */
const instant = /(?<!\d)1\d{9}(?:\d{3})?(?!\d)/g;
/** Learning rates and weight decays, also as lr1e4, whose e is no epoch. */
const rate = /(?<![a-z])(?:lr|wd)[-_=. ]?\d+(?:\.\d+)?(?:e[-+]?\d+)?/gi;
/** As of other rates: 1e-5. */
const power = /\d+(?:\.\d+)?e[-+]\d+/gi;
/** Numbers that stay the same while a network is trained: they tell trainings from each other. */
const staying = numberOf('fold|seed|trial|run|version|batch[-_ ]?size|bs|per[-_ ]?epoch');
/** Numbers that change, and are no step. */
const changing = numberOf('loss|acc|accuracy');
/** The batch of a training, or the size of each: a step where there is no other. */
const batch = numberOf('batch');
/** Steps that are not written in digits alone, such as 1e3 and 500k. */
const written = /(?<![a-z])(?:step|iter|iteration|epoch|checkpoint|ckpt|batch)s?[-_=. ]?\d/i;
/** In place of what is no step: no letter, no digit, and nothing that stands between a word and its number. */
const NONE = '|';

/**
 * The run and the step of a checkpoint, by its path.
 *
 * The name of the file, or of the folder of a model.json, is looked at first. The step is the number behind a word such as epoch or step: 12
 * of `epoch12/model.json` and `ckpt-00012.keras`; else the number before step, iteration or epoch, as in `rl_model_12_steps`; else the only
 * whole number that stands by itself: 12 of `weights.12-0.34.keras` and of `model-v2-0012.keras`. Dates, losses and what stays the same in a
 * training, such as a seed, are none. Where it is not known which number is the step, checkpoints are counted.
 *
 * A name without a number that changes may be one of several that are saved together: then the step is that of a folder around it which has
 * no other name, 12 of `epoch-12/generator.keras`. Else it is written again and again, as `best.keras` is: a run of its own.
 *
 * @param folder that is watched: names above it do not count.
 */
export function checkpointName(folder: string, path: string): CheckpointName {
  const within = relative(folder, path);
  const file = basename(path) === 'model.json' ? dirname(within) : within.replace(/\.(keras|h5|hdf5)$/, '');
  const names = file.split(sep).filter((name) => name !== '.');
  const runWithout = (place: number) => names.filter((_, i) => i !== place).join('/');
  const last = names.length - 1;
  const own = stepOf(names[last] ?? '');
  if (own) {
    return { run: runWithout(last), ...own };
  }
  for (let place = last - 1; place >= 0; place--) {
    const found = stepsAlone.test(names[place]!) ? numberBehind(wordsBefore, names[place]!) : undefined;
    if (found?.step !== undefined) {
      return { run: runWithout(place), ...found };
    }
  }
  return { run: names.join('/'), how: 'counted, since its name has no number that changes' };
}

type Found = Pick<CheckpointName, 'step' | 'how'>;

const unclear: Found = { how: 'counted, since it is not clear which number in its name is the step' };

/** Undefined where the name has no number that changes. */
function stepOf(given: string): Found | undefined {
  const name = withoutOthers(given);
  const found =
    numberBehind(wordsBefore, name) ??
    numberBefore(wordsBehind, name) ??
    onlyNumber(name.replace(batch, NONE)) ??
    numberBehind(['batch'], name);
  if (found || written.test(name)) {
    return found ?? unclear;
  }
  const isOf = (...numbers: readonly RegExp[]) => numbers.some((each) => inWords(given).search(each) >= 0);
  return isOf(changing)
    ? { how: 'counted, since no number in its name is a step' }
    : isOf(date, instant)
      ? { how: 'counted, since its name has only a time' }
      : undefined;
}

/** trainEpoch12 as train-Epoch12. */
const inWords = (name: string) => name.replace(/([a-z])([A-Z])/g, '$1-$2');

/** Without the numbers that are no step, dates first. */
const withoutOthers = (name: string) =>
  [date, instant, rate, power, staying, changing].reduce((rest, each) => rest.replace(each, NONE), inWords(name));

function numberOf(words: string): RegExp {
  return new RegExp(`(?<![a-z])(?:${words})[-_=. ]?\\d+(?:\\.\\d+)?`, 'gi');
}

const numberBehind = (words: readonly string[], name: string) =>
  numberAt(words, name, (each) => `(?<![a-z])(?<word>${each})s?[-_=. ]?(?<number>\\d+)(?![a-z\\d]|\\.\\d)`);

const numberBefore = (words: readonly string[], name: string) =>
  numberAt(words, name, (each) => `(?<![a-z\\d.])(?<number>\\d+)[-_ ]?(?<word>${each})s?(?![a-z\\d]|[-_=. ]\\d)`);

/** Of the first words that have one. */
function numberAt(words: readonly string[], name: string, pattern: (words: string) => string): Found | undefined {
  for (const each of words) {
    const found = [...name.matchAll(new RegExp(pattern(each), 'gi'))].map(({ groups }) => groups!);
    const steps = new Set(found.map(({ number }) => Number(number)));
    const [step] = steps;
    if (steps.size > 1) {
      return unclear;
    }
    if (Number.isSafeInteger(step)) {
      return { step: step!, how: `the number at '${found[0]!.word}' in its name` };
    }
  }
  return undefined;
}

function onlyNumber(name: string): Found | undefined {
  const numbers = [...name.matchAll(/(?<![a-z\d]|\d\.)\d+(?![a-z\d]|\.\d)/gi)].map(([number]) => Number(number));
  const [step] = numbers;
  if (numbers.length === 1 && Number.isSafeInteger(step)) {
    return { step: step!, how: 'the number in its name' };
  }
  return /(?<![a-z\d])\d+(?![a-z\d])/i.test(name) ? unclear : undefined;
}
