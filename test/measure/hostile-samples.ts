import fc from 'fast-check';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Path = (string | number)[];

/** Every place in plain data, that of the whole left out. */
function placesIn(data: Json, path: Path = []): Path[] {
  if (typeof data !== 'object' || data === null) {
    return path.length > 0 ? [path] : [];
  }
  const inside = Object.entries(data).flatMap(([key, value]) =>
    placesIn(value, [...path, Array.isArray(data) ? Number(key) : key]),
  );
  return path.length > 0 ? [path, ...inside] : inside;
}

const holderOf = (data: Json, path: Path) =>
  path.slice(0, -1).reduce((holder, key) => (holder as Record<string, Json>)[key] as Json, data) as Record<
    string,
    Json
  >;

/** What takes the place of a value. */
const replacements: ((value: Json) => Json)[] = [
  (value) => String(value),
  () => null,
  () => 'NaN',
  () => [],
  () => ({}),
  () => true,
  () => 1e308,
  () => -1,
  () => 0,
  () => 1e9,
  (value) => [value],
  (value) => (typeof value === 'number' ? -value : value),
  (value) => (typeof value === 'number' ? value * (1 + 2 ** -52) : value),
  (value) => (typeof value === 'number' ? value + 1 : value),
  (value) => (typeof value === 'number' ? value / 3 : value),
  (value) => (typeof value === 'string' ? `${value}0` : value),
  (value) => (typeof value === 'string' ? Number(value) : value),
  (value) => (typeof value === 'boolean' ? !value : value),
  (value) => (Array.isArray(value) ? value.slice(0, value.length >> 1) : value),
  (value) => (Array.isArray(value) ? value.slice(1) : value),
  (value) => (Array.isArray(value) ? [...value, ...value] : value),
  (value) => (Array.isArray(value) ? value.toReversed() : value),
  (value) => (Array.isArray(value) ? value.map((each) => (typeof each === 'number' ? -each : each)) : value),
  (value) => (Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : value),
];

/** What happens to the place of a value, in what holds it. */
const rearrangements: ((holder: Record<string, Json>, key: string | number, other: string | number) => void)[] = [
  (holder, key) => {
    if (Array.isArray(holder)) {
      holder.splice(Number(key), 1);
    } else {
      delete holder[key];
    }
  },
  (holder, key) => {
    if (Array.isArray(holder)) {
      holder.splice(Number(key), 0, holder[Number(key)]!);
    } else {
      holder[`${key}s`] = holder[key]!;
    }
  },
  (holder, key) => {
    if (!Array.isArray(holder)) {
      holder[String(key).toUpperCase()] = holder[key]!;
      delete holder[key];
    }
  },
  (holder, key, other) => {
    [holder[key], holder[other]] = [holder[other]!, holder[key]!];
  },
];

/** JSON of one or several samples, changed in one to three places. */
export function hostileJson(json: string): fc.Arbitrary<string> {
  const change = fc.record({
    place: fc.nat(),
    other: fc.nat(),
    // Long lists would take nearly all of the changes: first the field, then the place in it.
    field: fc.nat(),
    way: fc.nat({ max: replacements.length + rearrangements.length - 1 }),
  });
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    const data = JSON.parse(json) as Json;
    for (const { place, other, field, way } of changes) {
      const places = placesIn(data);
      const fields = [...new Set(places.map((path) => String(path[1] ?? path[0])))];
      const inField = places.filter((path) => String(path[1] ?? path[0]) === fields[field % fields.length]);
      const path = inField[place % inField.length];
      // That a whole share was left out, nobody can know.
      if (path === undefined || (path.length === 1 && way === replacements.length)) {
        continue;
      }
      const [holder, key] = [holderOf(data, path), path.at(-1)!];
      if (way < replacements.length) {
        const value = replacements[way]!(holder[key]!);
        holder[key] = Number.isNaN(value) ? null : value;
      } else {
        const keys = Object.keys(holder);
        rearrangements[way - replacements.length]!(holder, key, keys[other % keys.length]!);
      }
    }
    return JSON.stringify(data);
  });
}
