import type { Command } from 'commander';
import type { Complain } from './failure.js';
import { modelOptions } from './measuring-arguments.js';

/** The words of `npx tfjs-sharpness describe`. */
export function describeArguments(command: Command, complain: Complain): void {
  command
    .description(
      'Says of saved models, without data and weights, which layers can trade scale, which cannot and why, and which loss is taken.',
    )
    .argument('<model...>', 'model.json of tf.js layers (a file, a folder or a URL), a .keras or an .h5 file of Keras');
  modelOptions(command)
    .option('--json', 'print it as JSON; of several models a list')
    .addHelpText(
      'after',
      `
Examples:
  npx tfjs-sharpness describe model.keras
  npx tfjs-sharpness describe checkpoints/last/model.json --json`,
    )
    .action(async (models: string[], options: object) => {
      const { describeCommand } = await import('./describe-command.js');
      await describeCommand(models, options, complain);
    });
}
