import { type Command, InvalidArgumentError, Option } from 'commander';

const numberOf = (text: string): number => {
  // Number('') is 0.
  const parts = text.split('/').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const value = parts.length === 2 ? parts[0]! / parts[1]! : parts[0]!;
  if (parts.length > 2 || !Number.isFinite(value)) {
    throw new InvalidArgumentError('it is not a number');
  }
  return value;
};

export const append = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** What kinds of files there are, for the text of a command. */
export const knownFiles = `Models are model.json of tf.js layers (a file, a folder or a URL), .keras archives, and .h5 files of Keras. Data are .npy, .npz, .csv,
.json, IDX, .bin (float32), a folder of PNG or JPEG images with a folder for each class, or a .js module that exports them.`;

/** Options of all commands that load models. */
export function modelOptions(command: Command): Command {
  return command
    .option('--loss <name>', 'default what the file says, else by the last activation: --loss meanSquaredError')
    .option('--output <name>', 'one output of several: --output class')
    .option('--require <module>', 'a module that registers layers of your own: --require ./layers.mjs', append)
    .addOption(
      new Option(
        '--backend <name>',
        'default tensorflow where it is built, else wasm; cpu is slow: --backend wasm',
      ).choices(['tensorflow', 'wasm', 'cpu']),
    );
}

/** Options of all commands that measure. */
export function measuringOptions(command: Command): Command {
  command
    .option('--data <file>', 'samples; of several inputs NAME=FILE each: --data left=a.npy --data right=b.npy', append)
    .option('--random <n>', 'so many random samples instead, by --seed: --random 100', numberOf)
    .option(
      '--limit <n>',
      'at most so many samples: of a file the first, of images as many of each class: --limit 1000',
      numberOf,
    )
    .option('--scale <factor>', 'what the data are multiplied by: --scale 1/255', numberOf)
    .option(
      '--labels <file>',
      'labels, which give the loss as well; of several outputs NAME=FILE each: --labels y.npy',
      append,
    );
  return modelOptions(command)
    .option('--method <name>', 'exact, pairs=256 or hutchinson=30 (default exact): --method pairs=256')
    .option('--tolerance <share>', 'relative standard error to reach: --tolerance 0.05', numberOf)
    .option(
      '--part <share>',
      'of data too large for a pass over all of it: a random share stands for all, and its error says so: --part 0.1',
      numberOf,
    )
    .option('--seed <n>', 'chooses pairs, a part, random samples and weights: --seed 1', numberOf)
    .option('--memory <mb>', 'memory for tensors in MB: --memory 512', numberOf);
}
