import { enumerate } from './names.js';

/**
 * Refuses options that there are not: left alone, a slip would go unnoticed.
 *
 * @param where what the options belong to, for the message.
 * @param options as given; none at all is fine.
 * @param known every option there is, as keys.
 * @throws Error with one line that names the first option which is none.
 */
export function checkKnownOptions(where: string, options: unknown, known: Readonly<Record<string, true>>): void {
  const names = Object.keys(known);
  // Labels or data in the place of options, as some functions of Keras have them.
  const isTensor = typeof options === 'object' && options !== null && 'shape' in options && 'dtype' in options;
  if (
    options !== undefined &&
    (typeof options !== 'object' || options === null || Array.isArray(options) || isTensor)
  ) {
    throw new Error(`${where}: options must be an object of ${names.join(', ')}, but they are ${shown(options)}.`);
  }
  const stranger = Object.keys(options ?? {}).find((name) => !Object.hasOwn(known, name));
  if (stranger !== undefined) {
    throw new Error(`${where}: there is no option '${stranger}', only ${names.join(', ')}.`);
  }
}

/** Which numbers an option may be, none of them infinite; one end below and one above at most. */
export interface NumberRange {
  readonly atLeast?: number;
  readonly above?: number;
  readonly atMost?: number;
  readonly below?: number;
}

/**
 * @param name of the option, as the message shall begin; the same for the checks below.
 * @param remedy what to pass, after the message.
 * @throws RangeError with one line unless `value` is a finite number in the range.
 */
export function checkNumber(
  name: string,
  value: unknown,
  range: NumberRange = {},
  remedy?: string,
): asserts value is number {
  if (!(Number.isFinite(value) && isIn(value as number, range))) {
    const isBounded = range.atMost !== undefined || range.below !== undefined;
    throw new RangeError(mustBe(name, `a ${isBounded ? '' : 'finite '}number${inWords(range)}`, value, remedy));
  }
}

/** @throws RangeError with one line unless `value` is a whole number in the range, small enough to be exact. */
export function checkWhole(
  name: string,
  value: unknown,
  range: NumberRange = {},
  remedy?: string,
): asserts value is number {
  if (!(Number.isSafeInteger(value) && isIn(value as number, range))) {
    throw new RangeError(mustBe(name, `a whole number${inWords(range)}`, value, remedy));
  }
}

/** @throws Error with one line unless `value` is true or false. */
export function checkBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') {
    throw new Error(mustBe(name, 'true or false', value));
  }
}

/** @throws Error with one line unless `value` is one of the words. */
export function checkOneOf<Word extends string>(
  name: string,
  value: unknown,
  words: readonly Word[],
): asserts value is Word {
  if (!words.includes(value as Word)) {
    const quoted = words.map((word) => `'${word}'`);
    throw new Error(mustBe(name, enumerate(quoted, 'or'), value));
  }
}

/**
 * @param what the text is, for the message: "a non-empty string", or what it has to name.
 * @throws Error with one line unless `value` is text, and not empty.
 */
export function checkText(name: string, value: unknown, what = 'be a non-empty string'): asserts value is string {
  if (typeof value !== 'string' || value === '') {
    throw new Error(`${name} must ${what}, but it is ${shown(value)}.`);
  }
}

function isIn(value: number, { atLeast, above, atMost, below }: NumberRange): boolean {
  return (
    (atLeast === undefined || value >= atLeast) &&
    (above === undefined || value > above) &&
    (atMost === undefined || value <= atMost) &&
    (below === undefined || value < below)
  );
}

/** ' of at least 0', ' above 0 and below 1', ' from 0 to 1', ... */
function inWords({ atLeast, above, atMost, below }: NumberRange): string {
  if (atLeast !== undefined && atMost !== undefined) {
    return ` from ${atLeast} to ${atMost}`;
  }
  const ends = [
    ...(atLeast === undefined ? [] : [`of at least ${atLeast}`]),
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(atMost === undefined ? [] : [`at most ${atMost}`]),
    ...(below === undefined ? [] : [`below ${below}`]),
  ];
  return ends.length > 0 ? ` ${enumerate(ends)}` : '';
}

function mustBe(name: string, wanted: string, value: unknown, remedy?: string): string {
  return `${name} must be ${wanted}, but it is ${shown(value)}${remedy === undefined ? '' : `: ${remedy}`}.`;
}

/** The most entries of a list or an object that a message shows. */
const MOST_SHOWN = 6;

/** A value as a program would write it, NaN and 10n too, in one line; of long lists the first entries. */
export function asWritten(value: unknown): string {
  const some = (texts: readonly string[]) => [
    ...texts.slice(0, MOST_SHOWN),
    ...(texts.length > MOST_SHOWN ? ['...'] : []),
  ];
  if (typeof value === 'bigint') {
    return `${value}n`;
  }
  if (Array.isArray(value)) {
    return `[${some(Array.from(value, asWritten)).join(',')}]`;
  }
  if (isPlain(value)) {
    const entries = Object.entries(value).map(([key, each]) => `${key}: ${asWritten(each)}`);
    return entries.length === 0 ? '{}' : `{ ${some(entries).join(', ')} }`;
  }
  return shown(value);
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** A value in one short line: text in quotes, so that '64' and 64 differ. */
function shown(value: unknown): string {
  if (typeof value === 'string') {
    return `'${value}'`;
  }
  if (typeof value === 'function') {
    return 'a function';
  }
  if (typeof value !== 'object' || value === null) {
    return String(value);
  }
  if (Array.isArray(value)) {
    return 'an array';
  }
  return isPlain(value)
    ? `an object of ${Object.keys(value).join(', ') || 'nothing'}`
    : `of the class ${Object.getPrototypeOf(value).constructor.name}`;
}
