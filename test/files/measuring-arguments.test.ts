import { Command } from 'commander';
import { expect, test } from 'vitest';
import { measuringOptions } from '../../src/files/measuring-arguments.js';

const parsed = (...words: string[]) => {
  const command = measuringOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return command.parse(words, { from: 'user' }).opts();
};

test('numbers, fractions and options that come several times', () => {
  expect(parsed('--scale', '1/255', '--limit', '10', '--data', 'a=1.npy', '--data', 'b=2.npy')).toEqual({
    scale: 1 / 255,
    limit: 10,
    data: ['a=1.npy', 'b=2.npy'],
  });
  for (const text of ['1/2/3', '/255', '1/', ' / 2', '1/0']) {
    expect(() => parsed('--scale', text)).toThrow('it is not a number');
  }
  expect(() => parsed('--limit', '')).toThrow('it is not a number');
  expect(() => parsed('--backend', 'webgl')).toThrow('Allowed choices');
});
