#!/usr/bin/env node
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

const usage = `usage: npx tfjs-sharpness native [--gpu]

Builds the native addon of @tensorflow/tfjs-node in the project of the current folder, without the download that its install
script needs. First: npm install --ignore-scripts @tensorflow/tfjs-node
Needs linux x64, Python with pip, make and a C++ compiler. Run again it does what is missing, and repairs what is damaged.

  --gpu      build @tensorflow/tfjs-node-gpu instead, and say which CUDA libraries it still needs
  --help     show this text
  --version  show the version of tfjs-sharpness`;

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Builds, and ends by the signal that comes meanwhile, once nothing of the work is left. */
async function native(gpu: boolean): Promise<void> {
  const { buildNative } = await import('./native/build.js');
  const stop = new AbortController();
  let ended: NodeJS.Signals | undefined;
  for (const name of signals) {
    // Not once: npx passes a signal on that the terminal has sent to this process too.
    process.on(name, () => {
      ended ??= name;
      stop.abort(new Error(`stopped by ${ended}: what was finished is kept, the rest is removed`));
    });
  }
  try {
    const name = gpu ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node';
    await buildNative(name, (line) => console.log(line), process.cwd(), stop.signal);
  } catch (error) {
    complain((error as Error).message, 1);
  }
  if (ended) {
    process.removeAllListeners(ended);
    process.kill(process.pid, ended);
  }
}

function complain(line: string, exitCode: number): void {
  console.error(`tfjs-sharpness: ${line}`);
  process.exitCode = exitCode;
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        gpu: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', short: 'v', default: false },
      },
    });
  } catch (error) {
    // Of what parseArgs says the first sentence is for users of an option, the rest for those of positional arguments.
    complain(`${(error as Error).message.split('. ')[0]} (npx tfjs-sharpness --help)`, 1);
    return undefined;
  }
}

// A reader that has gone (`| head`, a terminal that was closed) is no reason to stop half-way.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', () => {});
}

const given = parse();
const [command, ...rest] = given?.positionals ?? [];
if (given?.values.help || command === 'help') {
  console.log(usage);
} else if (given?.values.version) {
  console.log(createRequire(import.meta.url)('../package.json').version);
} else if (command === 'native' && rest.length === 0) {
  await native(given!.values.gpu);
} else if (command === 'native') {
  complain(`native takes no ${rest.map((word) => `'${word}'`).join(' ')}\n\n${usage}`, 2);
} else if (command) {
  complain(`unknown command '${command}': the only one is native\n\n${usage}`, 2);
} else if (given) {
  console.error(usage);
  process.exitCode = 2;
}
