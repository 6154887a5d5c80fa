import { Command } from 'commander';
import { expect, test } from 'vitest';
import { compareArguments } from '../../src/files/compare-arguments.js';
import { describeArguments } from '../../src/files/describe-arguments.js';
import { measureArguments } from '../../src/files/measure-arguments.js';
import { watchArguments } from '../../src/files/watch-arguments.js';

const commands = {
  measure: measureArguments,
  compare: compareArguments,
  describe: describeArguments,
  watch: watchArguments,
};

test.each(Object.entries(commands))('each option of %s has an example', (name, add) => {
  const command = new Command(name);
  add(command, () => {});
  for (const { long, flags, description } of command.options) {
    if (/[<[]/.test(flags)) {
      expect(description, flags).toContain(`${long} `);
    }
  }
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  expect(help).toContain(`npx tfjs-sharpness ${name} `);
});
