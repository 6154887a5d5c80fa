import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import type { ICruiseResult } from 'dependency-cruiser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withArchitecturePicture } from '../../scripts/architecture-picture.js';

const root = join(import.meta.dirname, '../..');

test('the picture of the architecture is that of the imports', async () => {
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  expect(await withArchitecturePicture(page)).toBe(page);
  for (const arrow of ['training --> measure', 'measure --> traces', 'traces --> network', 'network --> tfjs']) {
    expect(page).toContain(`  ${arrow}\n`);
  }
});

/** An import that must not be, the file that it is added to, and the rule that must say so. */
const forbidden = [
  ['measures-imports-downwards', 'measures/norms.ts', "export * from '../layers.js';"],
  ['chart-imports-downwards', 'chart/style.ts', "export * from '../layers.js';"],
  ['tfjs-imports-downwards', 'tfjs/copies.ts', "export * from '../network/graph.js';"],
  ['network-imports-downwards', 'network/tape.ts', "export * from '../traces/chunks.js';"],
  ['traces-imports-downwards', 'traces/chunks.ts', "export * from '../symmetry/elimination.js';"],
  ['symmetry-imports-downwards', 'symmetry/description.ts', "export type { TraceChunk } from '../traces/exact.js';"],
  ['measure-imports-downwards', 'measure/inputs.ts', "export * from '../training/schedule.js';"],
  ['report-imports-downwards', 'report/thinned.ts', "export * from '../native/addon.js';"],
  ['farm-imports-downwards', 'farm/content.ts', "export * from '../index.js';"],
  ['files-imports-downwards', 'files/zip.ts', "export * from '../index.js';"],
  ['training-imports-downwards', 'training/schedule.ts', "export * from '../index.js';"],
  ['native-imports-downwards', 'native/wheel.ts', "export * from '../tfjs/weights.js';"],
  ['everywhere-imports-nothing', 'checks.ts', "export * from './tfjs/copies.js';"],
  ['native-is-a-tool', 'measure/finite.ts', "export * from '../native/wheel.js';"],
  ['runs-in-a-page', 'measure/labels.ts', "export * from 'node:path';"],
  ['files-behind-their-door', 'training/time-budget.ts', "export * from './tensorboard/record.js';"],
  ['declared-packages', 'measure/options.ts', "export * from 'fast-check';"],
  ['no-circle', 'network/circle.ts', "export * from './circle.js';"],
  ['no-orphan', 'network/orphan.ts', 'export const alone = 1;'],
] as const;

describe('npm run arrows', () => {
  let folder: string;

  /** What the rule file finds in the copy: rule and file of each violation. */
  function violations(): string[] {
    const options = ['--config', '.dependency-cruiser.mjs', '--output-type', 'json'];
    const { stdout } = spawnSync('npx', ['depcruise', 'src', ...options], {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    const { summary } = JSON.parse(stdout) as ICruiseResult;
    expect(summary.totalCruised).toBeGreaterThan(100);
    return summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`);
  }

  beforeAll(() => {
    mkdirSync(join(root, '.cache'), { recursive: true });
    folder = mkdtempSync(join(root, '.cache', 'arrows-'));
    cpSync(join(root, 'src'), join(folder, 'src'), { recursive: true });
    for (const file of ['.dependency-cruiser.mjs', 'package.json', 'tsconfig.json']) {
      copyFileSync(join(root, file), join(folder, file));
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('finds nothing in the package, and each forbidden import where there is one', () => {
    expect(violations()).toEqual([]);
    for (const [, file, line] of forbidden) {
      appendFileSync(join(folder, 'src', file), `${line}\n`);
    }
    const found = violations();
    for (const [rule, file] of forbidden) {
      expect(found).toContain(`${rule}: src/${file}`);
    }
  });

  test('every rule is tried', async () => {
    const { default: config } = await import(join(root, '.dependency-cruiser.mjs'));
    const names = (config.forbidden as { name: string }[]).map(({ name }) => name);
    const tried: string[] = forbidden.map(([rule]) => rule);
    expect(names.filter((name) => !tried.includes(name))).toEqual([]);
  });
});
