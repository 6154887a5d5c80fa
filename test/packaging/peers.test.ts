import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { goldenCases } from '../measure/golden-network.js';
import { emptyProject, type PackedProject } from './packed-project.js';
import { type EveryDoor, everyDoor, expectSame, outcomeInNode } from './programs.js';

const { peerDependencies } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
  peerDependencies: Record<string, string>;
};
const tfjs = peerDependencies['@tensorflow/tfjs-core'];
const { rxjs } = peerDependencies;
/** Of a range such as ^4.2.0. */
const lowest = (range: string) => range.replace('^', '');

test('one range for tfjs-core and tfjs-layers, which come in equal versions', () => {
  expect(peerDependencies['@tensorflow/tfjs-layers']).toBe(tfjs);
  for (const range of [tfjs, rxjs]) {
    expect(range).toMatch(/^\^\d+\.\d+\.\d+$/);
  }
});

describe('the lowest and the newest peers', () => {
  const cases = goldenCases().filter(({ name }) => !name.startsWith('paper-'));
  const projects: PackedProject[] = [];
  let program: string;

  beforeAll(async () => {
    program = await everyDoor(cases);
  });
  afterAll(() => {
    for (const project of projects) {
      project.remove();
    }
  });

  /** The peers first, as in a project that trains already: what npm puts beside a package depends on what is there. */
  function projectWith(versions: { readonly tfjs: string; readonly rxjs: string }): PackedProject {
    const project = emptyProject();
    projects.push(project);
    project.install(`@tensorflow/tfjs@${versions.tfjs}`, `rxjs@${versions.rxjs}`);
    project.install(project.tarball);
    return project;
  }

  function outcome(project: PackedProject): EveryDoor {
    project.write('every-door.mjs', program);
    return outcomeInNode(project, 'every-door.mjs');
  }

  /** The versions of a package that the project's own code and tfjs-sharpness load. */
  function loaded({ folder }: PackedProject, name: string): string[] {
    return [folder, join(folder, 'node_modules/tfjs-sharpness')].map(
      (from) => createRequire(join(from, 'x.js'))(`${name}/package.json`).version as string,
    );
  }

  test('give the same numbers, the golden ones, from one copy of tf.js', () => {
    const oldest = projectWith({ tfjs: lowest(tfjs), rxjs: lowest(rxjs) });
    expect(loaded(oldest, '@tensorflow/tfjs-core')).toEqual([lowest(tfjs), lowest(tfjs)]);
    expect(loaded(oldest, '@tensorflow/tfjs-layers')).toEqual([lowest(tfjs), lowest(tfjs)]);
    expect(loaded(oldest, 'rxjs')).toEqual([lowest(rxjs), lowest(rxjs)]);
    const newest = projectWith({ tfjs, rxjs });
    for (const name of ['@tensorflow/tfjs-core', '@tensorflow/tfjs-layers', 'rxjs']) {
      expect(new Set(loaded(newest, name)).size, name).toBe(1);
    }

    const [of, now] = [outcome(oldest), outcome(newest)];
    for (const { name, expected } of cases) {
      expect(Math.abs(now.golden[name] / expected.minimumSharpness - 1), name).toBeLessThan(1e-4);
    }
    expectSame(of, now);
    // Several epochs, and something from every stream.
    for (const values of Object.values({ ...now.history, ...now.streams })) {
      expect(values.length).toBeGreaterThan(2);
      expect(values.every(Number.isFinite)).toBe(true);
    }
  });
});
