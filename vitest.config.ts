import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { addonPath } from './src/native/addon.js';

/** Heavy: they install packages into empty projects. `npm run test:package`. */
const packaging = ['test/packaging/**/*.test.ts'];
/** They draw in a browser, and never touch tf.js in Node: one process can run many. */
const pages = ['test/chart/**/*.test.ts'];
/** They start their own processes and never touch a backend: run once. */
const backendFree = [
  'test/{abort-signals,mirror,names}.test.ts',
  'test/benchmarks/!(launches|benchmarks).test.ts',
  'test/benchmarks/launches-webgpu.test.ts',
  'test/{browser,chart,docs,farm,native,report,symmetry}/**/*.test.ts',
  'test/examples/{examples,lenet}.test.ts',
  'test/files/!(measure-files).test.ts',
  'test/examples/playground/*.test.ts',
  'test/training/files/*.test.ts',
  'test/training/tensorboard/!(native-writer).test.ts',
  'test/{throws,warnings}.test.ts',
];
/** What depends on the backend; wasm, which cannot train a CNN, runs no more than this. */
const kernel = [
  'test/{network,traces}/**/*.test.ts',
  'test/training/{control,optimizers,stopping}/**/*.test.ts',
  'test/training/{minimum-sharpness*,monitor,sharpness-monitor,sharpness-reader,callback-options,logged-values}.test.ts',
  'test/measure/{measure-*,sharpness-*,several-outputs,instant,methods,reading,inputs,sample-weights,masks,masked-forward,recurrent-programs}.test.ts',
  'test/measure/{frozen,describe-symmetries,memory,random-part,golden,keras,input-types,invariance,rescaled-networks}.test.ts',
  'test/measure/{value-cases,what-fit-minimises,turns,finite}.test.ts',
  'test/tfjs/!(copies|minibatch-recorder).test.ts',
  'test/benchmarks/launches.test.ts',
  'test/files/measure-files.test.ts',
  'test/brute-force/keras-architectures.test.ts',
];

/**
 * Hundreds of readings of large networks, or brute force: on the native backend where it is there or its own run follows this
 * one (TFJS_SHARPNESS_NATIVE=follows), else in pure JavaScript, which takes three to forty times as long.
 */
const demanding = [
  'test/benchmarks/benchmarks.test.ts',
  'test/brute-force/reference.test.ts',
  'test/examples/architectures.test.ts',
  'test/measure/{coverage,eigenvalue-coverage,sampled-coverage,keras,memory}.test.ts',
];

const source = (file: string) => fileURLToPath(new URL(`src/${file}`, import.meta.url));

/** The tests of `include` on the backend that `test/setup/<name>.ts` sets. */
function project(name: string, include: string[], exclude: string[]): TestProjectConfiguration {
  return {
    // Programs of benchmarks/ import the package by its name.
    resolve: {
      alias: [
        { find: /^tfjs-sharpness$/, replacement: source('index.ts') },
        { find: /^tfjs-sharpness\/(\w+)$/, replacement: source('$1.ts') },
      ],
    },
    test: {
      name,
      include,
      exclude: ['**/node_modules/**', ...exclude],
      setupFiles: [`test/setup/${name}.ts`],
      // Tests in a browser belong to it alone.
      ...(name === 'cpu' && { globalSetup: ['test/setup/browsers.ts'] }),
      // Processes, not threads: one process cannot load the native addon twice.
      pool: 'forks',
      env: { TF_CPP_MIN_LOG_LEVEL: '2' },
      testTimeout: 60_000,
      hookTimeout: 60_000,
    },
  };
}

const native = addonPath('@tensorflow/tfjs-node') !== undefined;
const demandingOnCpu = !native && process.env.TFJS_SHARPNESS_NATIVE !== 'follows';

const projects: TestProjectConfiguration[] = [
  project('cpu', ['test/**/*.test.ts'], [...packaging, ...pages, ...(demandingOnCpu ? [] : demanding)]),
  {
    test: {
      name: 'pages',
      include: pages,
      globalSetup: ['test/setup/browsers.ts'],
      pool: 'forks',
      isolate: false,
      testTimeout: 60_000,
      hookTimeout: 60_000,
    },
  },
  project('wasm', kernel, packaging),
  { test: { name: 'packaging', include: packaging, pool: 'forks', testTimeout: 600_000, hookTimeout: 600_000 } },
];

if (native) {
  projects.push(project('tensorflow', ['test/**/*.test.ts'], [...backendFree, ...packaging]));
} else if (process.env.TFJS_SHARPNESS_NATIVE === 'required') {
  throw new Error('the native backend is not built, and this run requires it: npm run native');
} else {
  console.warn(
    'native backend: tests skipped, the addon of tfjs-node is not built. To run them: npm run native && npm test',
  );
}

const report = process.env.VITEST_REPORT;

export default defineConfig({
  test: {
    projects,
    maxWorkers: 2,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    // tf.js advertises its native backend at every start of another one.
    onConsoleLog: (log) => !log.includes('Hi, looks like you are running TensorFlow.js in Node.js'),
  },
});
