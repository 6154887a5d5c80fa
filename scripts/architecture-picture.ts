/*
 * Draws the picture in docs/architecture.md, between its markers, from the imports in src/:
 *
 *     npx tsx scripts/architecture-picture.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractDepcruiseConfig from 'dependency-cruiser/config-utl/extract-depcruise-config';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';

/** What stands in the boxes: of the entries, what comes after the package's name; of the rooms, what they are for. */
const entries: Readonly<Record<string, string>> = {
  cli: 'npx tfjs-sharpness',
  index: 'tfjs-sharpness',
  optimizers: '/optimizers',
  streams: '/streams',
  control: '/control',
  node: '/node',
  files: '/files',
  report: '/report',
  layers: '/layers',
  measures: '/measures',
  chart: '/chart',
};
const rooms: Readonly<Record<string, string>> = {
  report: 'a page<br/>of readings',
  farm: 'in many processes,<br/>on many machines',
  files: 'saved models<br/>and data files',
  chart: 'draws readings<br/>in a page',
  measures: 'what MS is<br/>compared with',
  training: 'while a model trains',
  measure: 'from options<br/>to one reading',
  symmetry: 'which rescalings,<br/>and the least trace',
  traces: 'the trace of each<br/>weight tensor',
  network: 'a model as steps,<br/>forward and backward',
  tfjs: 'what tf.js does not tell',
  native: 'builds tfjs-node',
};
/** Tiny files that every room may use are left out. */
const everywhere = ['abort-signals', 'checks', 'names', 'warnings'];

const [begin, end] = ['<!-- picture: npx tsx scripts/architecture-picture.ts -->', '<!-- /picture -->'];

type Arrows = ReadonlyMap<string, ReadonlySet<string>>;

/** An entry's box has a name of its own: its room may be named as the entry is. */
const entryBox = (entry: string) => `${entry}_entry`;

/** The room, or the entry, that a file of src/ belongs to; undefined where it is not drawn. */
function boxOf(path: string): string | undefined {
  const [, name = '', isRoom] = /^src\/([\w-]+)(\/)?/.exec(path) ?? [];
  if (!isRoom && everywhere.includes(name)) {
    return undefined;
  }
  if (!Object.hasOwn(isRoom ? rooms : entries, name)) {
    throw new Error(`${path} is neither in a room nor an entry that scripts/architecture-picture.ts knows.`);
  }
  return isRoom ? name : entryBox(name);
}

/** Which box imports from which. Types alone make no arrow from an entry: they come with the functions that need them. */
async function imports(): Promise<Arrows> {
  const { options } = await extractDepcruiseConfig('./.dependency-cruiser.mjs');
  const { output } = await cruise(['src'], { ...options, includeOnly: '^src' }, undefined, {
    tsConfig: extractTSConfig('./tsconfig.json'),
  });
  const arrows = new Map(
    [...Object.keys(entries).map(entryBox), ...Object.keys(rooms)].map((box) => [box, new Set<string>()]),
  );
  for (const { source, dependencies } of (output as ICruiseResult).modules) {
    const from = boxOf(source);
    for (const { resolved, dependencyTypes } of dependencies) {
      const to = boxOf(resolved);
      const counts = from && (Object.hasOwn(rooms, from) || !dependencyTypes.includes('type-only'));
      if (counts && to && to !== from) {
        arrows.get(from)?.add(to);
      }
    }
  }
  return arrows;
}

/** Whether a box leads to another over one more at least. */
function isImplied(arrows: Arrows, from: string, to: string): boolean {
  const leads = (start: string): boolean => start === to || [...(arrows.get(start) ?? [])].some(leads);
  return [...(arrows.get(from) ?? [])].some((next) => next !== to && leads(next));
}

/** Entries whose functions come from the same rooms share a box: one list of them for each. */
function entryBoxes(arrows: Arrows): string[][] {
  const boxes = new Map<string, string[]>();
  for (const entry of Object.keys(entries)) {
    const key = [...(arrows.get(entryBox(entry)) ?? [])].sort().join();
    boxes.set(key, [...(boxes.get(key) ?? []), entry]);
  }
  return [...boxes.values()];
}

/** `page` with the picture of src/ as it is now. */
export async function withArchitecturePicture(page: string): Promise<string> {
  const arrows = await imports();
  const shared = entryBoxes(arrows);
  const arrowsFrom = (box: string) => Object.keys(rooms).filter((room) => arrows.get(box)?.has(room));
  const lines = [
    'flowchart TD',
    ...shared.map((box) => `  ${entryBox(box[0]!)}["${box.map((entry) => entries[entry]).join('<br/>')}"]:::entry`),
    ...Object.entries(rooms).map(([name, text]) => `  ${name}["<b>${name}/</b><br/>${text}"]`),
    // The lowest room first: so drawn, no two arrows cross.
    ...shared.flatMap(([first]) =>
      arrowsFrom(entryBox(first!))
        .map((room) => `  ${entryBox(first!)} --> ${room}`)
        .reverse(),
    ),
    // Between rooms, an arrow that a longer way implies is left out.
    ...Object.keys(rooms).flatMap((room) =>
      arrowsFrom(room)
        .filter((other) => !isImplied(arrows, room, other))
        .map((other) => `  ${room} --> ${other}`),
    ),
    '  classDef entry stroke-dasharray: 4 3',
  ];
  const [first, last] = [page.indexOf(begin), page.indexOf(end)];
  if (first < 0 || last < first) {
    throw new Error(`docs/architecture.md lacks the markers ${begin} and ${end}.`);
  }
  return `${page.slice(0, first + begin.length)}\n\`\`\`mermaid\n${lines.join('\n')}\n\`\`\`\n${page.slice(last)}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const page = new URL('../docs/architecture.md', import.meta.url);
  writeFileSync(page, await withArchitecturePicture(readFileSync(page, 'utf8')));
}
