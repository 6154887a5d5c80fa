#!/usr/bin/env node
import { createRequire } from 'node:module';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { measureElsewhereArguments, workerArguments } from './farm/farm-arguments.js';
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

const numberOf = (text: string): number => {
  const parts = text.split('/').map(Number);
  const value = parts.length === 2 ? parts[0]! / parts[1]! : parts[0]!;
  if (parts.length > 2 || text.trim() === '' || !Number.isFinite(value)) {
    throw new InvalidArgumentError('it is not a number');
  }
  return value;
};

const append = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

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

const measure = program
  .command('measure')
  .summary('measures saved models on data files')
  .description(
    `Measures saved models: model.json of tf.js layers (a file, a folder or a URL), and .keras archives. Data are .npy, .npz, .csv, .json,
IDX, .bin (float32), a folder of PNG or JPEG images with a folder for each class, or a .js module that exports them.`,
  )
  .argument('<model...>', 'models, each measured on the same data')
  .option('--data <file>', 'samples; of several inputs NAME=FILE each: --data left=a.npy --data right=b.npy', append)
  .option('--random <n>', 'so many random samples instead, by --seed: --random 100', numberOf)
  .option('--limit <n>', 'at most so many samples, the first; of images as many of each class: --limit 1000', numberOf)
  .option('--scale <factor>', 'what the data are multiplied by: --scale 1/255', numberOf)
  .option(
    '--labels <file>',
    'labels, which give the loss as well; of several outputs NAME=FILE each: --labels y.npy',
    append,
  )
  .option('--expect <file>', 'predictions of Keras, compared with those of tf.js first: --expect y_pred.npy')
  .option('--loss <name>', 'default what the file says, else by the last activation: --loss meanSquaredError')
  .option('--output <name>', 'one output of several: --output class')
  .option('--random-weights', 'weights as of a new model, by --seed; none are read')
  .option('--require <module>', 'a module that registers layers of your own: --require ./layers.mjs', append)
  .addOption(
    new Option('--backend <name>', 'default tensorflow where it is built, else wasm').choices([
      'tensorflow',
      'wasm',
      'cpu',
    ]),
  )
  .option('--method <name>', 'exact, or so many pairs: --method exact, --method pairs=256 (default exact)')
  .option('--tolerance <share>', 'relative standard error to reach: --tolerance 0.05', numberOf)
  .option('--seed <n>', 'chooses pairs, random samples and weights: --seed 1', numberOf)
  .option('--memory <mb>', 'memory for tensors in MB: --memory 512', numberOf)
  .option('--json', 'print the reading as JSON; of several models a list')
  .option('--csv [file.csv]', 'print rows of CSV, or append them to a file: --csv readings.csv')
  .option('--jsonl [file.jsonl]', 'print JSON lines, or append them to a file: --jsonl readings.jsonl')
  .addHelpText(
    'after',
    `
Examples:
  npx tfjs-sharpness measure model.keras --data x.npy
  npx tfjs-sharpness measure checkpoints/*/model.json --data test.npz --limit 2000 --json > readings.json`,
  );
measureElsewhereArguments(measure, complain);

workerArguments(program.command('worker').summary('measures what measure --queue asks for'), complain);

// A reader that has gone (`| head`, a terminal that was closed) is no reason to stop half-way.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', () => {});
}

if (process.argv.length <= 2) {
  process.stderr.write(program.helpInformation());
  process.exitCode = WRONG_INPUT;
} else {
  try {
    await program.parseAsync([...process.argv.slice(0, 2), ...withFormats(process.argv.slice(2))]);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : WRONG_INPUT;
    } else {
      complain(lineOf(error), FAILED);
    }
  }
}
