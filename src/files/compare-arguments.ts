import type { Command } from 'commander';
import type { Complain } from './failure.js';
import { knownFiles, measuringOptions } from './measuring-arguments.js';

/** The words of `npx tfjs-sharpness compare`. */
export function compareArguments(command: Command, complain: Complain): void {
  command
    .description(
      `Compares saved models: a table of their Minimum Sharpness with its error, and the difference to the first with its own. The flattest is named at similar loss, where there are labels. ${knownFiles}
Readings that measure or watch have written are compared as they are: compare readings.jsonl.`,
    )
    .argument('<model...>', 'models, each measured on the same data with the same seed, or .jsonl files of readings');
  measuringOptions(command)
    .option('--to <model>', 'the model that differences are to, in the place of the first: --to base/model.json')
    .option('--json', 'print a list of readings, each with difference, differenceError, paired and verdict')
    .option('--csv', 'print rows of CSV')
    .addHelpText(
      'after',
      `
Examples:
  npx tfjs-sharpness compare old.keras new.keras --data x.npy --labels y.npy
  npx tfjs-sharpness compare readings.jsonl --to epoch1/model.json`,
    )
    .action(async (models: string[], options: object) => {
      const { compareCommand } = await import('./compare-command.js');
      await compareCommand(models, options, complain);
    });
}
