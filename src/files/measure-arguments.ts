import type { Command } from 'commander';
import { knownFiles, measuringOptions } from './measuring-arguments.js';

/** The words of `npx tfjs-sharpness measure`, but for those of where it measures. */
export function measureArguments(command: Command): void {
  command
    .description(`Measures saved models. ${knownFiles}`)
    .argument('<model...>', 'models, each measured on the same data');
  measuringOptions(command)
    .option('--expect <file>', 'predictions of Keras, compared with those of tf.js first: --expect y_pred.npy')
    .option('--random-weights', 'weights as of a new model, by --seed; none are read')
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
}
