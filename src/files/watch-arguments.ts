import type { Command } from 'commander';
import type { Complain } from './failure.js';
import { measuringOptions } from './measuring-arguments.js';

/** The words of `npx tfjs-sharpness watch`. */
export function watchArguments(command: Command, complain: Complain): void {
  command
    .description(
      `Measures the checkpoints of a folder and of those in it, model.json with its shards, .keras or .h5, as a running training saves
them: those that are there first, then each that comes, until Ctrl-C. One that is overwritten is measured again. Each folder of a tree
is a run of its own; steps are the numbers in names, as in epoch-12 and weights.12-0.34.keras, else counted, which is told.`,
    )
    .argument('<folder>', 'where checkpoints are saved');
  measuringOptions(command)
    .option(
      '--tensorboard <folder>',
      'where readings go for TensorBoard, each run into a folder in it: --tensorboard logs',
    )
    .option(
      '--jsonl [file.jsonl]',
      'print JSON lines, or append them to a file, whose checkpoints are not measured again: --jsonl readings.jsonl',
    )
    .option('--once', 'end when all that is there has been measured')
    .addHelpText(
      'after',
      `
Example:
  npx tfjs-sharpness watch checkpoints --data test.npz --tensorboard logs/run1 --jsonl readings.jsonl`,
    )
    .action(async (folder: string, options: object) => {
      const { watchCommand } = await import('./watch-command.js');
      await watchCommand(folder, options, complain);
    });
}
