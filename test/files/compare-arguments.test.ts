import { Command } from 'commander';
import { expect, test, vi } from 'vitest';
import { compareArguments } from '../../src/files/compare-arguments.js';

test('compare takes models and files of readings', async () => {
  const complain = vi.fn();
  const command = new Command();
  compareArguments(command, complain);
  await command.parseAsync(['none.jsonl', '--to', 'x'], { from: 'user' });
  expect(complain.mock.calls).toEqual([[expect.stringContaining('none.jsonl'), 2]]);
});
