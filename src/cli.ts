#!/usr/bin/env node
import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { FAILED, signals, WRONG_INPUT } from './files/failure.js';
import { lineOf } from './warnings.js';

function complain(line: string, exitCode: number): void {
  console.error(`tfjs-sharpness: ${line}`);
  // What failed by itself may be tried again, whatever else is wrong.
  process.exitCode = process.exitCode === FAILED ? FAILED : exitCode;
}

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
    complain(lineOf(error), FAILED);
  }
  if (ended) {
    process.removeAllListeners(ended);
    process.kill(process.pid, ended);
  }
}

/** A file may follow --csv and --jsonl, and so may a model: it is a file by its ending. */
function withFormats(words: readonly string[]): string[] {
  const formats = new Map([
    ['--csv', '.csv'],
    ['--jsonl', '.jsonl'],
  ]);
  return words.flatMap((word, i) => {
    const before = formats.get(words[i - 1] ?? '');
    if (before !== undefined && word.endsWith(before)) {
      return [];
    }
    const ending = formats.get(word);
    if (ending === undefined) {
      return [word];
    }
    const next = words[i + 1];
    return [`${word}=${next?.endsWith(ending) ? next : '-'}`];
  });
}

const program = new Command('tfjs-sharpness')
  .description('Minimum Sharpness of TensorFlow.js networks.')
  .usage('<command> [options]')
  .version(
    createRequire(import.meta.url)('../package.json').version,
    '-v, --version',
    'show the version of tfjs-sharpness',
  )
  .helpOption('-h, --help', 'show this text')
  .exitOverride()
  .configureOutput({
    outputError: (text, write) => {
      const [line] = text.replace(/^error: /, '').split('\n');
      write(`tfjs-sharpness: ${line!.trim()} (npx tfjs-sharpness --help)\n`);
    },
  })
  .addHelpText(
    'after',
    '\nExit codes: 0 done, 1 something failed that the input is not to blame for, 2 wrong input; Ctrl-C ends by its signal.',
  );

program
  .command('native')
  .description(
    `Builds the native addon of @tensorflow/tfjs-node in the project of the current folder, without the download that its install
script needs. First: npm install --ignore-scripts @tensorflow/tfjs-node
Needs linux x64, Python with pip, make and a C++ compiler. Run again it does what is missing, and repairs what is damaged.`,
  )
  .summary('builds the native addon of tfjs-node')
  .usage('[--gpu]')
  .option('--gpu', 'build @tensorflow/tfjs-node-gpu instead, and say which CUDA libraries it still needs', false)
  .allowExcessArguments(false)
  .action(({ gpu }: { gpu: boolean }) => native(gpu));

const words = process.argv.slice(2);
/** A model may have the name of a command: the first word is the command, behind `help` the second. */
const [first, second] = words.filter((word) => !word.startsWith('-'));
const called = first === 'help' ? second : first;

/** Each is loaded when it is called. */
const commands: readonly {
  readonly name: string;
  readonly summary: string;
  /** Whether it appends to files by --csv and --jsonl. */
  readonly appends?: true;
  readonly load: () => Promise<(command: Command, complain: (line: string, exitCode: number) => void) => void>;
}[] = [
  {
    name: 'measure',
    summary: 'measures saved models on data files',
    appends: true,
    load: async () => {
      const { measureArguments } = await import('./files/measure-arguments.js');
      const { measureElsewhereArguments } = await import('./farm/farm-arguments.js');
      return (command, complain) => {
        measureArguments(command);
        measureElsewhereArguments(command, complain);
      };
    },
  },
  {
    name: 'compare',
    summary: 'compares saved models, or readings of them',
    load: async () => (await import('./files/compare-arguments.js')).compareArguments,
  },
  {
    name: 'describe',
    summary: 'says which scales of saved models are free',
    load: async () => (await import('./files/describe-arguments.js')).describeArguments,
  },
  {
    name: 'watch',
    summary: 'measures the checkpoints of a running training',
    appends: true,
    load: async () => (await import('./files/watch-arguments.js')).watchArguments,
  },
  {
    name: 'worker',
    summary: 'measures what measure --queue asks for',
    load: async () => (await import('./farm/farm-arguments.js')).workerArguments,
  },
  {
    name: 'report',
    summary: 'makes a page of readings: one HTML file',
    load: async () => (await import('./report/report-arguments.js')).reportArguments,
  },
];

for (const { name, summary, load } of commands) {
  const command = program.command(name).summary(summary);
  if (name === called) {
    (await load())(command, complain);
  }
}

let isToldOfOutput = false;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that has gone (`| head`) is no reason to stop half-way.
  if (error.code !== 'EPIPE' && !isToldOfOutput) {
    isToldOfOutput = true;
    complain(`cannot write to standard output: ${lineOf(error)}`, FAILED);
  }
});
// There is nowhere to tell of it.
process.stderr.on('error', () => {});

if (words.length === 0) {
  process.stderr.write(program.helpInformation());
  process.exitCode = WRONG_INPUT;
} else {
  try {
    const appends = commands.some(({ name, appends }) => appends && name === words[0]);
    await program.parseAsync(appends ? withFormats(words) : words, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : WRONG_INPUT;
    } else {
      complain(lineOf(error), FAILED);
    }
  }
}
