import { distinctNames } from '../names.js';

/**
 * What tells paths from each other: `run1` and `run2` of `logs/run1/readings.jsonl` and `logs/run2/readings.jsonl`. Of one path alone,
 * its last part without what stands behind the dot.
 */
export function shortNames(paths: readonly string[]): string[] {
  if (paths.length === 0) {
    return [];
  }
  const parts = paths.map((path) => path.replaceAll('\\', '/').split('/').filter(Boolean));
  const least = Math.min(...parts.map(({ length }) => length));
  const same = (of: (list: readonly string[], i: number) => string | undefined) => {
    let count = 0;
    while (count < least && parts.every((list) => of(list, count) === of(parts[0]!, count))) {
      count++;
    }
    return count;
  };
  const isOne = new Set(paths).size < 2;
  const front = isOne ? 0 : same((list, i) => list[i]);
  const back = isOne
    ? 0
    : Math.min(
        same((list, i) => list.at(-1 - i)),
        least - front,
      );
  const names = parts.map((list, i) => {
    const name = isOne ? (list.at(-1) ?? '') : list.slice(front, list.length - back).join('/');
    const bare = back === 0 ? name.replace(/(?<=[^./])\.(jsonl|ndjson|json|csv|keras)$/i, '') : name;
    return bare === '' ? paths[i]! : bare;
  });
  return distinctNames(names);
}
