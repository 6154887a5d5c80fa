import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PackedProject, packedProject } from './packed-project.js';
import { everyDoor, goldenCase } from './programs.js';

let project: PackedProject;

beforeAll(async () => {
  project = packedProject(
    '@tensorflow/tfjs@4.22.0',
    'rxjs@7.8.2',
    'jest@30.5.2',
    '@babel/core@7.29.13',
    '@babel/preset-env@7.29.14',
  );
  const golden = goldenCase('cnn-batchnorm');
  const program = await everyDoor([golden]);
  const assertion = `
    import { tensorBoardWriter } from 'tfjs-sharpness/node';

    test('every door', async () => {
      const { golden, history } = await globalThis.outcome;
      expect(golden['cnn-batchnorm'] / ${golden.expected.minimumSharpness}).toBeCloseTo(1, 4);
      expect(history.minimumSharpness.length).toBeGreaterThan(2);
      expect(typeof tensorBoardWriter).toBe('function');
    });`;
  for (const kind of ['js', 'mjs']) {
    project.write(`every-door.test.${kind}`, program + assertion);
  }
});
afterAll(() => project?.remove());

/** Jest reports on stderr. */
function jest(config: object, ...nodeOptions: string[]): string {
  project.write('jest.config.json', JSON.stringify(config));
  const { status, stdout, stderr } = project.try(
    process.execPath,
    ...nodeOptions,
    'node_modules/jest/bin/jest.js',
    '--ci',
  );
  return `${stdout}${stderr}ended with ${status}`;
}

test('Jest with Babel works once this package is not among the ignored ones', () => {
  project.write(
    'babel.config.json',
    JSON.stringify({ presets: [['@babel/preset-env', { targets: { node: 'current' } }]] }),
  );
  const page = readFileSync('docs/browser.md', 'utf8');
  const { transformIgnorePatterns } = JSON.parse(/```json\n(.*?)```/s.exec(page)![1]!).jest;
  expect('/a/node_modules/.pnpm/tfjs-sharpness@0.1.0/node_modules/tfjs-sharpness/dist/index.js').not.toMatch(
    new RegExp(transformIgnorePatterns[0]),
  );
  expect(jest({ testMatch: ['**/*.test.js'], transformIgnorePatterns })).toMatch(
    /Tests: +1 passed, 1 total(.|\n)*ended with 0$/,
  );
});

test("Jest with Node's own ES modules works as it is", () => {
  const outcome = jest({ testMatch: ['**/*.test.mjs'], transform: {} }, '--experimental-vm-modules');
  expect(outcome).toMatch(/Tests: +1 passed, 1 total(.|\n)*ended with 0$/);
});
