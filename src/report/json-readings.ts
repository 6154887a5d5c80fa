import { isObject } from '../files/json-text.js';
import { lineOf } from '../warnings.js';
import type { Take } from './report-run.js';

const isReading = (value: unknown) => isObject(value) && 'minimumSharpness' in value;

const isListOfReadings = (value: unknown): value is unknown[] => Array.isArray(value) && value.some(isReading);

/** Whether an object is one of lists of readings, and no reading itself. */
export const holdsLists = (value: object): boolean => !isReading(value) && Object.values(value).some(isListOfReadings);

/**
 * Reads JSON: a reading, a list of them as `measure --json` prints it, or an object of such lists, which are runs of their names.
 *
 * @param path for messages.
 * @returns what was left out, one sentence each.
 * @throws Error with one line where it is no JSON.
 */
export function readJson(path: string, text: Uint8Array, take: Take): string[] {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(text));
  } catch (error) {
    throw new Error(`'${path}' is no JSON, or was cut off: ${lineOf(error)}.`, { cause: error });
  }
  if (isReading(value)) {
    take(value as object);
    return [];
  }
  if (Array.isArray(value)) {
    value.filter(isObject).forEach((each) => {
      take(each);
    });
    return [];
  }
  const lists = Object.entries(value as object).filter((entry): entry is [string, unknown[]] =>
    isListOfReadings(entry[1]),
  );
  for (const [name, list] of lists) {
    for (const each of list.filter(isObject)) {
      take(each, lists.length > 1 ? name : undefined);
    }
  }
  return [];
}
