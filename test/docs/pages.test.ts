import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withLayerTable } from '../../scripts/layer-table.js';
import { measuredPages, withSpeedTables } from '../../scripts/speed-tables.js';
import { wheels } from '../../src/native/wheel.js';
import { layerTable } from '../../src/network/layers/table.js';
import { outputHessians } from '../../src/network/output-hessian.js';
import { anchorsOf, pages, proseOf, root } from './pages.js';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const page = (path: string) => pages[path]!;
const paths = Object.keys(pages);

test('the README fits on 150 lines', () => {
  expect(page('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(150);
});

test('no two entries of the changelog are of the same: a merge may have kept both sides', () => {
  const beginnings = read('CHANGELOG.md')
    .split('\n')
    .filter((line) => line.startsWith('- '))
    .map((line) => line.slice(0, 40));
  expect(beginnings.filter((each, i) => beginnings.indexOf(each) < i)).toEqual([]);
});

describe('links', () => {
  /** Files and pages that a page links to, by their path in the repository, with what stands behind the #. */
  const linksOf = (path: string) =>
    [...proseOf(path).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !/^https?:/.test(target))
      .map((target) => {
        const [file, anchor] = target.split('#') as [string, string?];
        return { target, to: file === '' ? path : join(dirname(path), file), anchor };
      });

  test.each(paths)('of %s lead somewhere', (path) => {
    for (const { target, to, anchor } of linksOf(path)) {
      expect(existsSync(join(root, to)), target).toBe(true);
      if (anchor !== undefined) {
        expect(pages, target).toHaveProperty([to]);
        expect(anchorsOf(to), target).toContain(anchor);
      }
    }
  });

  test('every page is one click from the README', () => {
    const linked = linksOf('README.md').map(({ to }) => to);
    expect(linked).toEqual(expect.arrayContaining(paths.filter((path) => path !== 'README.md')));
  });

  test('the package has what its pages link to', () => {
    const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      encoding: 'utf8',
    });
    const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
    const packed = files.map(({ path }) => path);
    expect(packed).toEqual(expect.arrayContaining([...paths]));
    for (const path of paths) {
      for (const { to } of linksOf(path)) {
        expect(packed, path).toContain(to);
      }
    }
  });
});

describe('commands', () => {
  const { scripts, bin, name, version } = JSON.parse(read('package.json'));
  const all = paths.map(page).join('\n');

  test('every npm script exists', () => {
    const named = [...all.matchAll(/npm run (?:-s )?([\w:-]+)/g)].map(([, script]) => script!);
    expect(named).toEqual(expect.arrayContaining(['example', 'native']));
    for (const script of [...named, 'test']) {
      expect(scripts).toHaveProperty([script]);
    }
  });

  test('the two command lines are there', () => {
    expect(page('README.md')).toMatch(/^ {4}npm ci && npm run example\b/m);
    expect(page('README.md')).toMatch(/^ {4}npm ci && npm test\b/m);
  });

  test('npx runs what exists, and the tarball has the name that npm pack gives', () => {
    const run = [...all.matchAll(/npx (?!tsx\b|--)([\w@/-]+)/g)].map(([, program]) => program!);
    expect(run).toContain('tfjs-sharpness');
    for (const program of run) {
      expect([...Object.keys(bin), 'vitest', 'biome']).toContain(program);
    }
    const tarballs = [...all.matchAll(/[\w./-]+\.tgz/g)].map(([tarball]) => tarball);
    expect(new Set(tarballs)).toEqual(new Set([`./${name}-${version}.tgz`]));
  });

  test('programs, tests and scripts that the pages name exist', () => {
    const named = paths.flatMap((path) =>
      [...page(path).matchAll(/\b(?:examples|test|scripts|src|benchmarks)\/[\w/.-]+\.(?:ts|sh|md|svg)\b/g)].map(
        ([file]) => ({ path, file }),
      ),
    );
    expect(named.length).toBeGreaterThan(10);
    for (const { path, file } of named) {
      expect(existsSync(join(root, file)), `${path}: ${file}`).toBe(true);
    }
  });

  test('shell lines begin with a program that a reader has', () => {
    const lines = paths.flatMap((path) =>
      [...proseOf(path).matchAll(/(?<=\n\n)(?: {4}.*\n)+/g)]
        .flatMap(([block]) =>
          block
            .trimEnd()
            .replace(/\\\n +/g, '')
            .split('\n'),
        )
        .flatMap((line) => line.replace(/ +#.*/, '').split('&&')),
    );
    expect(lines.length).toBeGreaterThanOrEqual(6);
    for (const line of lines) {
      expect(line.trim()).toMatch(/^(npm|npx|pip|tensorboard|apt-get|systemctl|scripts\/\S+\.sh)( |$)/);
    }
  });

  test('what is said of the native build is so', () => {
    const native = page('docs/native.md');
    const { status, stdout } = spawnSync('npx', ['tsx', 'src/cli.ts', 'native', '--help'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    const [command] = /npx tfjs-sharpness native --\w+/.exec(native)!;
    expect(stdout).toContain(`${command.split(' ').at(-1)} `);
    const tens = ({ bytes }: { bytes: number }) => Math.round(bytes / 1e7) * 10;
    const [gpu, cpu] = [wheels['@tensorflow/tfjs-node-gpu'], wheels['@tensorflow/tfjs-node']].map(tens);
    expect(native).toContain(`(${gpu} MB, without \`--gpu\` ${cpu} MB;`);
    expect(native).toContain(`TensorFlow ${wheels['@tensorflow/tfjs-node-gpu'].version.slice(0, 4)} wants`);
    const glibc = native.match(/glibc 2\.(\d+) or newer/)![1];
    expect(wheels['@tensorflow/tfjs-node-gpu'].platform).toBe(`manylinux_2_${glibc}_x86_64`);
  });

  test('every program of examples/ is listed, with the command that runs it', () => {
    const listed = [...page('examples/README.md').matchAll(/^\| \[([\w-]+\.ts)\]\(\1\) \| .* \| `(.*)` \|$/gm)];
    const programs = readdirSync(join(root, 'examples')).filter((file) => file.endsWith('.ts'));
    expect(listed.map(([, file]) => file).sort()).toEqual(programs.sort());
    for (const [, file, command] of listed) {
      const run = /^npm run ([\w:]+)/.exec(command!)?.[1];
      expect(run === undefined ? command : scripts[run]).toMatch(new RegExp(`tsx examples/${file}`));
    }
  });
});

test('entries and functions that the pages name exist', async () => {
  const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, unknown> };
  const entries = Object.keys(exports).filter((entry) => entry !== './package.json');
  const sources = entries.map((entry) => `../../src/${entry === '.' ? 'index' : entry.slice(2)}.js`);
  const modules = await Promise.all(sources.map((source): Promise<object> => import(source)));
  // Of the callbacks, and of a controller of one's own.
  const known = [...modules.flatMap((each) => Object.keys(each)), 'dispose', 'restore', 'begin', 'next'];
  for (const path of paths) {
    for (const [, entry] of page(path).matchAll(/[`']tfjs-sharpness\/([\w-]+)[`']/g)) {
      expect(entries, path).toContain(`./${entry}`);
    }
    for (const [span, name] of proseOf(path).matchAll(/`(\w+)\([^`]*`/g)) {
      expect(known, `${path}: ${span}`).toContain(name);
    }
  }
});

describe('tables', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => read(`src/${file}`));

  /** Names of the fields of an exported interface, as its source has them. */
  function fields(interfaceName: string): string[] {
    const [body] = sources.flatMap(
      (source) => new RegExp(`export interface ${interfaceName}\\b.*?{\\n(.*?)\\n}`, 's').exec(source)?.[1] ?? [],
    );
    return [...body!.matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map(([, field]) => field!);
  }

  test.each([
    ['docs/options.md', 'MinimumSharpnessOptions', 4],
    ['docs/options.md', 'MeasureOptions', 6],
    ['docs/early-stopping.md', 'EarlyStoppingOptions', 17],
    ['docs/optimizers.md', 'SharpnessPenaltyOptions', 7],
  ])('%s lists every option of %s', (path, interfaceName, atLeast) => {
    const options = fields(interfaceName);
    expect(options.length).toBeGreaterThanOrEqual(atLeast);
    for (const option of options) {
      expect(page(path)).toContain(`| \`${option}\` |`);
    }
  });

  test('docs/reading-the-number.md lists every field of a reading', () => {
    const listed = [...page('docs/reading-the-number.md').matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell]) =>
      cell!.replaceAll('`', '').split(', '),
    );
    expect(listed.sort()).toEqual(fields('SharpnessReading').sort());
  });

  test.each([
    ['lowerWhenRising', 'LowerWhenRisingOptions'],
    ['raiseWhenRising', 'RaiseWhenRisingOptions'],
    ['warmUp', 'WarmUpOptions'],
  ])('every option of the controller %s is named', (controller, interfaceName) => {
    const [, listed] = new RegExp(`^\\| \`${controller}\\(\\{ (.*?) \\}\\)\` \\|`, 'm').exec(page('docs/control.md'))!;
    const rising = controller === 'warmUp' ? [] : fields('RisingOptions');
    expect(listed!.split(', ').sort()).toEqual([...fields(interfaceName), ...rising].sort());
  });

  test('what a reading costs is what the benchmarks reported', () => {
    expect(measuredPages).toEqual([
      'docs/speed.md',
      'docs/optimizers.md',
      'docs/coverage.md',
      'docs/top-eigenvalues.md',
      'docs/early-stopping.md',
    ]);
    for (const path of measuredPages) {
      expect(page(path)).toBe(withSpeedTables(path, page(path)));
    }
    for (const name of ['speed', 'overhead']) {
      const [, block] = new RegExp(`<!-- ${name}:.*?-->\n(.*?)<!-- /${name} -->`, 's').exec(page('docs/speed.md'))!;
      expect(block!.split('\n').length).toBeGreaterThan(4);
      expect(block).not.toMatch(/undefined|NaN/);
    }
  });

  test('every loss is named, and the table of layers is that of the package', () => {
    const exact = page('docs/what-is-exact.md');
    for (const loss of Object.keys(outputHessians)) {
      expect(exact).toContain(`\`${loss}\``);
    }
    expect(exact).toBe(withLayerTable(exact));
    for (const layer of Object.keys(layerTable)) {
      expect(exact, layer).toContain(`\`${layer}\``);
    }
  });
});
