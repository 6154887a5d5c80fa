import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withLayerTable } from '../../scripts/layer-table.js';
import { withSpeedTables } from '../../scripts/speed-tables.js';
import { wheels } from '../../src/native/wheel.js';
import { layerTable } from '../../src/network/layers/table.js';
import { outputHessians } from '../../src/network/output-hessian.js';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const readme = read('README.md');

/** What the code blocks take for granted: a compiled model and its data. */
const prelude = `
import * as preludeTf from '@tensorflow/tfjs';
const model = preludeTf.sequential({
  layers: [
    preludeTf.layers.dense({ units: 8, inputShape: [4], activation: 'relu' }),
    preludeTf.layers.dense({ units: 3, activation: 'softmax' }),
  ],
});
model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
const xTrain = preludeTf.randomNormal([60, 4]);
const yTrain = preludeTf.oneHot(preludeTf.randomUniformInt([60], 0, 3), 3);
`;

/** Each TypeScript block, with what the README says that it prints, if it does. */
const blocks = [...readme.matchAll(/```ts\n(.*?)```\n(?:\n```text\n(.*?)```)?/gs)].map(([, code, output]) => ({
  code: code!,
  output,
}));

describe('code blocks', () => {
  let folder: string;
  beforeAll(() => {
    mkdirSync(join(root, '.cache'), { recursive: true });
    folder = mkdtempSync(join(root, '.cache', 'readme-'));
    blocks.forEach(({ code }, i) => {
      writeFileSync(join(folder, `block-${i}.ts`), prelude + code);
    });
    const compilerOptions = { noUnusedLocals: false };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'] }),
    );
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('there are some, and every fence is of a known kind', () => {
    expect(blocks.length).toBeGreaterThanOrEqual(4);
    const fences = [...readme.matchAll(/^```(\w*)$/gm)].map(([, language]) => language);
    expect(fences.filter((language, i) => i % 2 === 0 && !['ts', 'text'].includes(language!))).toEqual([]);
  });

  test('their types are right', () => {
    const { status, stdout } = spawnSync('npx', ['tsc', '--project', folder], { cwd: root, encoding: 'utf8' });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  test.each(blocks.map((block, i) => ({ ...block, i })))('block $i runs', ({ i, output }) => {
    const { status, stdout, stderr } = spawnSync('npx', ['tsx', `block-${i}.ts`], { cwd: folder, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    expect(stderr).not.toContain('tfjs-sharpness');
    expect(stdout).not.toMatch(/NaN|undefined/);
    if (output !== undefined) {
      expect(stdout).toBe(output);
    }
    if (blocks[i]!.code.includes("'logs/run1'")) {
      expect(readdirSync(join(folder, 'logs/run1'))).toHaveLength(1);
    }
  });
});

describe('commands and links', () => {
  const { scripts, bin, name, version } = JSON.parse(read('package.json'));

  test('every npm script exists', () => {
    const named = [...readme.matchAll(/npm run ([\w:]+)/g)].map(([, script]) => script!);
    expect(named).toEqual(expect.arrayContaining(['example', 'native']));
    for (const script of [...named, 'test']) {
      expect(scripts).toHaveProperty([script]);
    }
  });

  test('the two command lines are there', () => {
    expect(readme).toMatch(/^ {4}npm ci && npm run example\b/m);
    expect(readme).toMatch(/^ {4}npm ci && npm test\b/m);
  });

  test('npx runs what exists, and the tarball has the name that npm pack gives', () => {
    expect(Object.keys(bin)).toContain(/npx (\S+) native/.exec(readme)![1]);
    expect(readme).toContain(`./${name}-${version}.tgz`);
  });

  test('what it says of the native build is so', () => {
    const { status, stdout } = spawnSync('npx', ['tsx', 'src/cli.ts', 'native', '--help'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    const [command] = /npx tfjs-sharpness native --\w+/.exec(readme)!;
    expect(stdout).toContain(`${command.split(' ').at(-1)} `);
    const tens = ({ bytes }: { bytes: number }) => Math.round(bytes / 1e7) * 10;
    const [gpu, cpu] = [wheels['@tensorflow/tfjs-node-gpu'], wheels['@tensorflow/tfjs-node']].map(tens);
    expect(readme).toContain(`(${gpu} MB, without \`--gpu\` ${cpu} MB;`);
    expect(readme).toContain(`TensorFlow ${wheels['@tensorflow/tfjs-node-gpu'].version.slice(0, 4)} wants`);
    const glibc = readme.match(/glibc 2\.(\d+) or newer/)![1];
    expect(wheels['@tensorflow/tfjs-node-gpu'].platform).toBe(`manylinux_2_${glibc}_x86_64`);
  });

  test('files and sections that it points to exist', () => {
    const targets = [...readme.matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target!);
    const files = targets.filter((target) => !/^(https:|#)/.test(target));
    const mentioned = [...readme.matchAll(/\b(?:examples|test)\/[\w/-]+\.ts/g)].map(([path]) => path);
    for (const path of [...files, ...mentioned]) {
      expect(existsSync(join(root, path)), path).toBe(true);
    }
    const anchors = [...readme.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title!.toLowerCase().replaceAll(' ', '-'));
    for (const target of targets.filter((each) => each.startsWith('#'))) {
      expect(anchors).toContain(target.slice(1));
    }
  });
});

describe('tables', () => {
  /** Names of the fields of an interface, as its source has them. */
  function fields(path: string, interfaceName: string): string[] {
    const body = new RegExp(`interface ${interfaceName}\\b.*?{\\n(.*?)\\n}`, 's').exec(read(path))![1]!;
    return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map(([, field]) => field!);
  }

  test.each([
    ['src/training/minimum-sharpness.ts', 'MinimumSharpnessOptions', 4],
    ['src/measure/options.ts', 'MeasureOptions', 6],
    ['src/training/stopping/stopping-options.ts', 'EarlyStoppingOptions', 13],
  ])('every option of %s %s is listed', (path, interfaceName, atLeast) => {
    const options = fields(path, interfaceName);
    expect(options.length).toBeGreaterThanOrEqual(atLeast);
    for (const option of options) {
      expect(readme).toContain(`| \`${option}\` |`);
    }
  });

  test.each([
    ['lowerWhenRising', 'lower-when-rising', 'LowerWhenRisingOptions'],
    ['raiseWhenRising', 'raise-when-rising', 'RaiseWhenRisingOptions'],
    ['warmUp', 'warm-up', 'WarmUpOptions'],
  ])('every option of the controller %s is named', (controller, file, interfaceName) => {
    const [, listed] = new RegExp(`^\\| \`${controller}\\(\\{ (.*?) \\}\\)\` \\|`, 'm').exec(readme)!;
    const own = fields(`src/training/control/controllers/${file}.ts`, interfaceName);
    const rising = controller === 'warmUp' ? [] : fields('src/training/control/controllers/rising.ts', 'RisingOptions');
    expect(listed!.split(', ').sort()).toEqual([...own, ...rising].sort());
  });

  test('what a reading costs is what the benchmarks reported', () => {
    expect(readme).toBe(withSpeedTables(readme));
    const [, section] = /^## Speed\n(.*?)^## /ms.exec(readme)!;
    for (const name of ['kernel', 'one-percent', 'overhead']) {
      const [, block] = new RegExp(`<!-- ${name}:.*?-->\n(.*?)<!-- /${name} -->`, 's').exec(section!)!;
      expect(block!.split('\n').length).toBeGreaterThan(4);
      expect(block).not.toMatch(/undefined|NaN/);
    }
  });

  test('every loss is named, and the table of layers is that of the package', () => {
    for (const loss of Object.keys(outputHessians)) {
      expect(readme).toContain(`\`${loss}\``);
    }
    expect(readme).toBe(withLayerTable(readme));
    for (const layer of Object.keys(layerTable)) {
      expect(readme, layer).toContain(`\`${layer}\``);
    }
  });
});
