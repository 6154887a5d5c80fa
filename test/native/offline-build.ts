import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterEach } from 'vitest';
import { ownFolder } from './own-folder.js';
import { trainingPackage } from './training-package.js';

/** A pip that writes half of the wheel, waits until it may go on, and has a child of its own that never ends. */
const pip = `
import os, subprocess, sys, time
home = os.environ['TEST_HOME']
dest = next(a[7:] for a in sys.argv if a.startswith('--dest='))
name = os.environ['TEST_WHEEL']
with open(os.path.join(home, name), 'rb') as file:
  wheel = file.read()
child = subprocess.Popen(['sleep', '600'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
with open(os.path.join(dest, name), 'wb') as out:
  out.write(wheel[:len(wheel) // 2])
  out.flush()
  with open(os.path.join(home, 'pip.pids'), 'a') as pids:
    pids.write('%d %d\\n' % (os.getpid(), child.pid))
  while not os.path.exists(os.path.join(home, 'go')):
    time.sleep(0.01)
  out.write(wheel[len(wheel) // 2:])
child.kill()
`;

/** A small wheel of the same form, with the record of its files that every wheel has. */
const makeWheel = `
import base64, hashlib, sys, zipfile
files = {
  'tensorflow/libtensorflow_cc.so.2': b'library ' * 50000,
  'tensorflow/libtensorflow_framework.so.2': b'framework ' * 5000,
  'tensorflow/include/tensorflow/c/c_api.h': b'// header',
  'tensorflow/include/tensorflow/cc/left_out.h': b'// header',
  'tensorflow/python/left_out.py': b'',
}
with zipfile.ZipFile(sys.argv[1], 'w') as z:
  record = ''
  for name, content in files.items():
    z.writestr(name, content)
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()
    record += '%s,sha256=%s,%d\\n' % (name, digest, len(content))
  z.writestr('tensorflow_cpu-0.dist-info/RECORD', record + 'tensorflow_cpu-0.dist-info/RECORD,,\\n')
`;

/** The command, with another wheel in place of the real one; bundled, since each test starts it several times. */
function writeProgram(outfile: string, wheel: object): void {
  const contents = `
    import { wheels } from './native/wheel.js';
    Object.assign(wheels['@tensorflow/tfjs-node'], ${JSON.stringify(wheel)});
    await import('./cli.js');`;
  const stdin = { contents, resolveDir: 'src', loader: 'ts' as const };
  // Commander is CommonJS, and requires what is Node's.
  const js = "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);";
  buildSync({ stdin, outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20', banner: { js } });
}

const tfjsNode = `
const fs = require('node:fs');
const addon = require('node:path').join(__dirname, 'lib/napi-v8/tfjs_binding.node');
if (fs.readFileSync(addon, 'utf8') !== 'compiled') throw new Error('invalid ELF header');
${trainingPackage('return { history: { loss: [1] } };')}`;

const nodePreGyp = `
const fs = require('node:fs');
const home = process.env.TEST_HOME;
console.log('compiles');
fs.mkdirSync('build', { recursive: true });
fs.appendFileSync(home + '/compiler.pids', process.pid + '\\n');
const timer = setInterval(() => {
  if (!fs.existsSync(home + '/compile')) return;
  clearInterval(timer);
  fs.mkdirSync('lib/napi-v8', { recursive: true });
  fs.writeFileSync('lib/napi-v8/tfjs_binding.node', 'compiled');
}, 10);`;

export interface Run {
  readonly child: ChildProcess;
  /** What it has written so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** How it ended. */
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
}

/** Waits until something is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    await new Promise((done) => setTimeout(done, 10));
  }
}

/** Whether a process runs; one that has ended and that nobody has asked how does not. */
export function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/**
 * Gives every test of a file projects where the whole build runs without network and compiler: Python, the processes, files and
 * signals are real, pip, node-pre-gyp, tfjs-node and the wheel are small stand-ins.
 */
export function offlineBuild() {
  const { folder, command } = ownFolder();
  const started: Run[] = [];
  // Of a test that failed; their children end with them.
  afterEach(async () => {
    for (const { child, ended } of started.splice(0)) {
      child.kill('SIGKILL');
      await ended;
    }
  });
  // Itself, not what a version manager puts in its place: that takes longer to start than Python.
  const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
  const file = 'tensorflow_cpu-0-py3-none-any.whl';
  const path = (...names: string[]) => join(folder(), ...names);

  function write(name: string, text: string): void {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), text);
  }

  return {
    path,
    file,
    /** The lines that pip, or the compiler, has left: one a run, with the ids of its processes. */
    pids: (of: 'pip' | 'compiler'): number[][] =>
      existsSync(path(`${of}.pids`))
        ? readFileSync(path(`${of}.pids`), 'utf8')
            .trim()
            .split('\n')
            .map((line) => line.split(' ').map(Number))
        : [],
    /** Lets pip, or the compiler, go on. */
    go: (what: 'go' | 'compile') => write(what, ''),
    /** The package's folder in a project. */
    package: (project = 'project') => path(project, 'node_modules/@tensorflow/tfjs-node'),
    cached: () => readdirSync(path('cache/tfjs-sharpness')).sort(),
    /** A project that has the package, without an addon. */
    prepare(project = 'project'): void {
      write('site/pip/__init__.py', '');
      write('site/pip/__main__.py', pip);
      write(`${project}/node_modules/@tensorflow/tfjs-node/package.json`, '{}');
      write(`${project}/node_modules/@tensorflow/tfjs-node/index.js`, tfjsNode);
      write(`${project}/node_modules/@mapbox/node-pre-gyp/bin/node-pre-gyp`, nodePreGyp);
      command('make', 'exit 0');
      command('g++', 'exit 0');
      execFileSync(python, ['-c', makeWheel, path(file)]);
      const content = readFileSync(path(file));
      const sha256 = createHash('sha256').update(content).digest('hex');
      write('package.json', '{ "version": "0.0.0" }');
      writeProgram(path('dist/program.mjs'), { file, sha256, bytes: content.length, unpackedBytes: content.length });
    },
    /** Starts the command in a project. */
    start(project = 'project', env: NodeJS.ProcessEnv = {}): Run {
      const child = spawn(process.execPath, [path('dist/program.mjs'), 'native'], {
        cwd: path(project),
        env: {
          ...process.env,
          PATH: `${path('bin')}:${process.env.PATH}`,
          PYTHONPATH: path('site'),
          XDG_CACHE_HOME: path('cache'),
          PYTHON: python,
          npm_config_node_gyp: path('bin/make'),
          TEST_HOME: folder(),
          TEST_WHEEL: file,
          ...env,
        },
      });
      const written = { stdout: '', stderr: '' };
      child.stdout.on('data', (chunk) => (written.stdout += chunk));
      child.stderr.on('data', (chunk) => (written.stderr += chunk));
      const ended = new Promise<{ code: number | null; signal: string | null }>((done) =>
        child.once('close', (code, signal) => done({ code, signal })),
      );
      const run: Run = {
        child,
        ended,
        get stdout() {
          return written.stdout;
        },
        get stderr() {
          return written.stderr;
        },
      };
      started.push(run);
      return run;
    },
  };
}
