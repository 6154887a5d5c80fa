import { Command } from 'commander';
import { expect, test, vi } from 'vitest';
import { watchArguments } from '../../src/files/watch-arguments.js';

test('watch takes a folder', async () => {
  const complain = vi.fn();
  const command = new Command();
  watchArguments(command, complain);
  await command.parseAsync(['package.json', '--random', '3', '--backend', 'cpu'], { from: 'user' });
  expect(complain.mock.calls).toEqual([["'package.json' is no folder.", 2]]);
});
