import { Command } from 'commander';
import { expect, test, vi } from 'vitest';
import { reportArguments } from '../../src/report/report-arguments.js';

test('report takes files, and says a line for one that is not there', async () => {
  const complain = vi.fn();
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  reportArguments(command, complain);
  await command.parseAsync(['none.jsonl'], { from: 'user' });
  expect(complain.mock.calls).toEqual([[expect.stringContaining('none.jsonl'), 2]]);
  await expect(command.parseAsync([], { from: 'user' })).rejects.toThrow('file');
});
