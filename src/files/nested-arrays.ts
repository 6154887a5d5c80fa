import { parseJson } from './json-text.js';
import { type FileData, float32Of, type Samples, samplesOf } from './samples.js';

/**
 * Reads JSON: nested arrays of numbers [N, ...], such arrays by input name, or { xs, ys } of either.
 *
 * @param name of the file, for messages.
 * @throws Error with one line for what is not that, for rows of different lengths, and for what stands beside xs and ys.
 */
export function readNestedArrays(name: string, bytes: Uint8Array): FileData {
  const content = parseJson(name, bytes);
  if (typeof content !== 'object' || content === null) {
    throw new Error(`'${name}' holds no arrays of numbers.`);
  }
  if (Array.isArray(content)) {
    return { arrays: new Map([['', arrayOf(name, content)]]) };
  }
  const { xs, ys, ...named } = content as { readonly [key: string]: unknown };
  const stranger = Object.keys(named)[0];
  if (xs !== undefined && stranger !== undefined) {
    throw new Error(`'${name}' has '${stranger}' beside xs, which nothing reads: labels are ys.`);
  }
  const arraysOf = (key: string, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? new Map(Object.entries(value).map(([inner, each]) => [inner, arrayOf(`${name}: ${inner}`, each)]))
      : new Map([['', arrayOf(`${name}: ${key}`, value)]]);
  return {
    arrays: xs === undefined ? arraysOf('', named) : arraysOf('xs', xs),
    ...(ys !== undefined && { labels: arraysOf('ys', ys) }),
  };
}

function arrayOf(name: string, value: unknown): Samples {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
  }
  const values: number[] = [];
  const walk = (level: unknown, axis: number): void => {
    if (axis === shape.length) {
      if (typeof level !== 'number') {
        throw new Error(`'${name}' has ${JSON.stringify(level)?.slice(0, 40)} where a number should be.`);
      }
      values.push(level);
      return;
    }
    if (!Array.isArray(level) || level.length !== shape[axis]) {
      throw new Error(`'${name}' has rows of different lengths: pad them.`);
    }
    for (const each of level) {
      walk(each, axis + 1);
    }
  };
  walk(value, 0);
  const quoted = `'${name}'`;
  return samplesOf(
    quoted,
    shape,
    Float32Array.from(values, (each) => float32Of(quoted, each, Number.isSafeInteger(each))),
  );
}
