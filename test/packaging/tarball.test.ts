import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { emptyProject, type PackedProject } from './packed-project.js';

const root = join(import.meta.dirname, '../..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  main: string;
  unpkg: string;
  jsdelivr: string;
  types: string;
  exports: Record<string, { types: string; default: string } | string>;
  typesVersions: Record<string, Record<string, string[]>>;
  alias: Record<string, string>;
};
let project: PackedProject;

beforeAll(() => {
  project = emptyProject();
});
afterAll(() => project?.remove());

/** A packed file, as the checkout has it: the tarball is made of it. */
const read = (path: string) => readFileSync(join(root, path), 'utf8');

describe('the tarball', () => {
  test('holds the build, its sources and what a user wants to read, nothing else', () => {
    const folders = /^(dist|src|docs|examples|benchmarks\/(experiments\/)?results)\//;
    const outside = project.files.filter((path) => !folders.test(path));
    expect(outside.sort()).toEqual(['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'package.json']);
    expect(project.files).toEqual(
      expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'dist/node.js', 'dist/cli.js', 'docs/streams.md']),
    );
    const kinds: Record<string, RegExp> = {
      dist: /(\.(js|d\.ts)(\.map)?|\.LICENSE\.txt)$/,
      src: /\.(ts|proto)$/,
      docs: /\.(md|png|svg)$/,
      examples: /(\.(html|ts|md|svg|yml)|\/Dockerfile)$/,
      benchmarks: /\.(md|svg)$/,
    };
    const odd = project.files.filter((path) => folders.test(path) && !kinds[path.split('/')[0]].test(path));
    expect(odd).toEqual([]);
    expect(project.files.filter((path) => /\.test\.|(^|\/)\./.test(path))).toEqual([]);
  });

  test('says nothing of the machine that packed it', () => {
    const text = project.files.filter((path) => !/\.(png|svg)$/.test(path));
    const machine = [root, process.env.HOME!];
    expect(text.filter((path) => machine.some((place) => read(path).includes(place)))).toEqual([]);
  });

  test('has every file that its pages link to', () => {
    const links = project.files
      .filter((path) => path.endsWith('.md'))
      .flatMap((path) =>
        [...read(path).matchAll(/\]\(([^)\s]+)\)/g)]
          .map(([, target]) => target.replace(/#.*/, ''))
          .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
          .map((target) => `${path} -> ${normalize(join(dirname(path), target))}`),
      );
    expect(links.length).toBeGreaterThan(10);
    // A folder is there with its files.
    const there = (target: string) => project.files.some((path) => path === target || path.startsWith(`${target}/`));
    expect(links.filter((link) => !there(link.split(' -> ')[1].replace(/\/$/, '')))).toEqual([]);
  });

  test('has the source that every map names, for debuggers and for "go to definition"', () => {
    const maps = project.files.filter((path) => path.endsWith('.map'));
    for (const kind of ['.js', '.d.ts']) {
      const files = project.files.filter((path) => path.startsWith('dist/') && path.endsWith(kind));
      expect(maps).toEqual(expect.arrayContaining(files.map((path) => `${path}.map`)));
    }
    const missing = maps.filter((path) => {
      const { sources, sourcesContent } = JSON.parse(read(path)) as { sources: string[]; sourcesContent?: string[] };
      // RxJS in the files for pages: its text is in the map.
      const isThere = (source: string, i: number) =>
        project.files.includes(join(dirname(path), source)) !== Boolean(sourcesContent?.[i]);
      return !sources.every(isThere);
    });
    expect(missing).toEqual([]);
  });
});

describe('package.json', () => {
  /** The doors other than the main one, with their files. */
  const doors = Object.entries(manifest.exports).flatMap(([door, files]) =>
    typeof files === 'object' && door !== '.' ? [{ door, ...files }] : [],
  );

  test('opens the main door to tools that do not read exports', () => {
    const { types, default: main } = manifest.exports['.'] as { types: string; default: string };
    expect([manifest.main, manifest.types]).toEqual([main, types]);
  });

  test('opens every other door to them: typesVersions is for moduleResolution node10, alias for Parcel', () => {
    expect(doors.map(({ door }) => door)).toContain('./streams');
    const typesVersions = Object.fromEntries(doors.map(({ door, types }) => [door.slice('./'.length), [types]]));
    expect(manifest.typesVersions).toEqual({ '*': typesVersions });
    expect(manifest.alias).toEqual(Object.fromEntries(doors.map(({ door, default: file }) => [door, file])));
  });

  test('names files that are packed', () => {
    const { main, types, unpkg, jsdelivr } = manifest;
    const named = [main, types, unpkg, jsdelivr, ...doors.flatMap(({ types, default: file }) => [types, file])];
    expect(project.files).toEqual(expect.arrayContaining(named.map(normalize)));
  });
});

test('publint finds nothing', async () => {
  const tarball = readFileSync(project.tarball);
  const data = tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.byteLength) as ArrayBuffer;
  const { messages, pkg } = await publint({ pack: { tarball: data }, strict: true });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test('are-the-types-wrong finds nothing', () => {
  const cli = createRequire(import.meta.url).resolve('@arethetypeswrong/cli/package.json');
  const { bin } = JSON.parse(readFileSync(cli, 'utf8')) as { bin: { attw: string } };
  // The one rule left out knows no `require` of an ES module, which Node has from 20.19.
  const options = ['--profile', 'strict', '--ignore-rules', 'cjs-resolves-to-esm'];
  project.run(process.execPath, join(dirname(cli), bin.attw), project.tarball, ...options);
});
