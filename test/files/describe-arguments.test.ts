import { Command } from 'commander';
import { expect, test, vi } from 'vitest';
import { describeArguments } from '../../src/files/describe-arguments.js';

test('describe takes models, and no data', async () => {
  const complain = vi.fn();
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  describeArguments(command, complain);
  await command.parseAsync(['none.keras'], { from: 'user' });
  expect(complain.mock.calls).toEqual([["none.keras: cannot read 'none.keras': there is no such file.", 2]]);
  await expect(command.parseAsync(['a', '--data', 'x.npy'], { from: 'user' })).rejects.toThrow('--data');
});
