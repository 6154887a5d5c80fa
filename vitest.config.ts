import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { addonPath } from './src/native/addon.js';

/** Tests that never touch a backend (or start their own processes): run once, not once per backend. */
const backendFree = ['test/symmetry/**/*.test.ts', 'test/native*.test.ts', 'test/module-identity.test.ts'];
/** Heavy: they install packages into empty projects. `npm run test:package`. */
const packaging = ['test/packaging*.test.ts'];
/** What the numbers depend on the backend for; the wasm backend cannot train a CNN, so it gets no more than this. */
const kernel = [
  'test/curvature/**/*.test.ts',
  'test/control/**/*.test.ts',
  'test/measure*.test.ts',
  'test/golden*.test.ts',
  'test/callback*.test.ts',
];

function project(name: string, include: string[], exclude: string[] = []): TestProjectConfiguration {
  return {
    test: {
      name,
      include,
      exclude: ['**/node_modules/**', ...exclude],
      setupFiles: [`test/setup/${name}.ts`],
      // Own processes: the native addon cannot be loaded twice by the threads of one process.
      pool: 'forks',
      env: { TF_CPP_MIN_LOG_LEVEL: '2' },
      testTimeout: 60_000,
      hookTimeout: 60_000,
    },
  };
}

const projects = [project('cpu', ['test/**/*.test.ts'], packaging), project('wasm', kernel, packaging)];

if (addonPath('@tensorflow/tfjs-node')) {
  projects.push(project('tensorflow', ['test/**/*.test.ts'], [...backendFree, ...packaging]));
} else if (process.env.TFJS_SHARPNESS_NATIVE === 'required') {
  throw new Error('the native backend is not built, and this run requires it: npm run native');
} else {
  console.warn(
    'native backend: tests skipped, the addon of tfjs-node is not built. To run them: npm run native && npm test',
  );
}

if (process.env.TFJS_SHARPNESS_PACKAGING) {
  projects.push({
    test: { name: 'packaging', include: packaging, pool: 'forks', testTimeout: 600_000, hookTimeout: 600_000 },
  });
}

export default defineConfig({
  test: {
    projects,
    maxWorkers: 2,
    // tf.js advertises its native backend at every start of another one.
    onConsoleLog: (log) => !log.includes('Hi, looks like you are running TensorFlow.js in Node.js'),
  },
});
