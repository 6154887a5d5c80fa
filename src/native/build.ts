import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { addonPath, type NativePackage, packageDirectory } from './addon.js';
import { cudaReport } from './cuda.js';
import { checkPlatform, findToolchain, type Toolchain } from './toolchain.js';
import { fetchWheel, type Say, unpackWheel, wheels } from './wheel.js';

/** Trains one step in its own process: a library that does not fit may end the process it is loaded into. */
const trainOneStep = `
Object.assign(require('node:util'), { isNullOrUndefined: (v) => v == null, isArray: Array.isArray });
const tf = require(process.argv[1]);
const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
model.fit(tf.ones([4, 2]), tf.ones([4, 1]), { verbose: 0 }).then(({ history }) => {
  if (!Number.isFinite(history.loss[0])) throw new Error('the loss of the first step is not a number');
  const { binding, isUsingGpuDevice } = tf.backend();
  console.log(JSON.stringify({ tensorflow: binding.TF_Version, gpu: isUsingGpuDevice }));
});
`;

interface Verified {
  tensorflow: string;
  gpu: boolean;
}

/** Loads the built package and trains one step; what it found, or the line that says why not. */
function verify(directory: string): Verified | string {
  const child = spawnSync(process.execPath, ['-e', trainOneStep, directory], {
    encoding: 'utf8',
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2', NODE_OPTIONS: '' },
  });
  if (child.status === 0) {
    return JSON.parse(child.stdout.trim().split('\n').at(-1)!) as Verified;
  }
  const error = child.stderr.split('\n').find((line) => /^\w*Error: /.test(line));
  return error ?? `ended with ${child.signal ?? `exit code ${child.status}`}`;
}

async function compile(directory: string, tools: Toolchain, say: Say): Promise<void> {
  say('compiling the addon');
  const log = join(directory, 'native-build.log');
  const script = createRequire(join(directory, 'package.json')).resolve('@mapbox/node-pre-gyp/bin/node-pre-gyp');
  const settings = {
    npm_config_node_gyp: tools.nodeGyp,
    npm_config_nodedir: tools.nodeDirectory,
    npm_config_jobs: 'max',
  };
  const child = spawn(process.execPath, [script, 'install', '--build-from-source'], {
    cwd: directory,
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const file = createWriteStream(log);
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk).slice(-200_000);
      file.write(chunk);
    });
  }
  const code = await new Promise((done, fail) => child.once('error', fail).once('close', done));
  await new Promise<void>((done) => file.end(done));
  rmSync(join(directory, 'build'), { recursive: true, force: true });
  if (code === 0) {
    return;
  }
  if (!tools.nodeDirectory && /http GET .*headers/.test(output) && output.includes('ERR! configure error')) {
    throw new Error(
      `node-gyp could not download the headers of Node ${process.version}: use a Node that was installed with its headers (include/node beside bin), or set npm_config_nodedir to a folder with include/node`,
    );
  }
  const reason = output.split('\n').find((line) => /error: /i.test(line)) ?? `exit code ${code}`;
  const short = reason.replace('gyp ERR! stack ', '').trim();
  throw new Error(`the addon did not compile: ${short} (all of it: ${relative('.', log)})`);
}

/**
 * Builds the native addon of `@tensorflow/tfjs-node`, or of `@tensorflow/tfjs-node-gpu`, in a project that has the package
 * installed without its install script, and without the download that script needs: on the TensorFlow C library of the PyPI
 * wheel `tensorflow-cpu`, or `tensorflow`, fetched by version and sha256. Finished steps are kept: a second run does only what
 * is missing, and one that finds a working addon does nothing.
 * @throws Error with one line that says what is missing and how to get it
 */
export async function buildNative(name: NativePackage, say: Say, project = process.cwd()): Promise<void> {
  const directory = packageDirectory(name, project);
  if (!directory) {
    throw new Error(`${name} is not installed in this project: npm install --ignore-scripts ${name}`);
  }
  let result: Verified | string = 'not built';
  if (addonPath(name, project)) {
    result = verify(directory);
  }
  if (typeof result === 'string') {
    checkPlatform();
    const tools = findToolchain();
    const wheel = wheels[name];
    await unpackWheel(wheel, () => fetchWheel(wheel, tools.python, say), directory, tools.python, say);
    await compile(directory, tools, say);
    result = verify(directory);
    if (typeof result === 'string') {
      throw new Error(`${name} was built but does not train: ${result}`);
    }
  }
  say(`${name} works: one step trained on TensorFlow ${result.tensorflow}`);
  if (name === '@tensorflow/tfjs-node-gpu') {
    cudaReport(directory, result.gpu).forEach(say);
  }
  if (Number(process.versions.node.split('.')[0]) >= 23) {
    say(
      'note: tfjs-node 4.22 calls two functions that Node 23 removed; before training write: Object.assign(util, { isNullOrUndefined: (v) => v == null, isArray: Array.isArray }) with the default import of node:util',
    );
  }
}
