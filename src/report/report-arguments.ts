import type { Command } from 'commander';
import type { Complain } from '../files/failure.js';

/** The words of `npx tfjs-sharpness report`. */
export function reportArguments(command: Command, complain: Complain): void {
  command
    .description(
      `Makes a page of readings, one HTML file that needs no network: charts, a table to sort, what the readings take for granted. Files are JSON
lines, JSON of measure, CSV of readings and event files of TensorBoard, or a folder of those; several are runs beside each other.`,
    )
    .argument('<file...>', 'files or folders, each with its name where that is to be another: SAM=logs/sam')
    .option('-o, --output <file.html>', 'where the page goes: -o run1.html', 'report.html')
    .option('--title <text>', "heading of the page: --title 'SGD and SAM'")
    .option('--png <file.png>', 'the first chart as a picture as well: --png report.png')
    .addHelpText(
      'after',
      `
Examples:
  npx tfjs-sharpness report readings.jsonl -o report.html
  npx tfjs-sharpness report SGD=sgd.jsonl SAM=logs/sam -o compared.html --png compared.png`,
    )
    .action(async (files: string[], options: { output: string; title?: string; png?: string }) => {
      const { reportCommand } = await import('./report-command.js');
      await reportCommand(files, options, complain);
    });
}
