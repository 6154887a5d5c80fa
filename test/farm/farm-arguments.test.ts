import { Command } from 'commander';
import { afterEach, expect, test, vi } from 'vitest';
import { measureElsewhereArguments, workerArguments } from '../../src/farm/farm-arguments.js';

afterEach(() => {
  vi.restoreAllMocks();
});

async function complaints(...words: string[]) {
  const found: [string, number][] = [];
  const complain = (line: string, code: number) => found.push([line, code]);
  const program = new Command().exitOverride().configureOutput({ writeErr: (text) => found.push([text.trim(), 2]) });
  const inherit = (name: string) => program.command(name).copyInheritedSettings(program);
  measureElsewhereArguments(inherit('measure').argument('<model...>').option('--random <n>', '', Number), complain);
  workerArguments(inherit('worker'), complain);
  await program.parseAsync(words, { from: 'user' }).catch(() => {});
  return found;
}

test('help says where a password is read, and that the order of --require counts', () => {
  const program = new Command().configureHelp({ helpWidth: 1000 });
  measureElsewhereArguments(program.command('measure'), () => {});
  workerArguments(program.command('worker'), () => {});
  const [measure, worker] = program.commands.map((each) => each.helpInformation());
  expect(measure).toMatch(/--queue <url> .*REDISCLI_AUTH/);
  expect(worker).toMatch(/--queue <url> .*REDISCLI_AUTH/);
  expect(worker).toMatch(/--require <module> .*in the same order/);
});

test('options that do not go together are told', async () => {
  vi.spyOn(console, 'error').mockReturnValue();
  const alone = [[expect.stringMatching(/^--workers are processes of this machine/), 2]];
  expect(await complaints('measure', 'm', '--workers', '2', '--queue', 'redis://h')).toEqual(alone);
  expect(await complaints('measure', 'm', '--priority', '2')).toEqual([
    [expect.stringMatching(/^--priority is for/), 2],
  ]);
  expect(await complaints('measure', 'm', '--workers', '0')).toEqual([
    [expect.stringMatching(/whole number from 1/), 2],
  ]);
  expect(await complaints('worker')).toEqual([[expect.stringMatching(/--queue <url>' not specified/), 2]]);
  expect(await complaints('worker', '--queue', 'host')).toEqual([
    [expect.stringMatching(/^--queue is given no address/), 2],
  ]);
  expect(await complaints('worker', '--queue', 'redis://127.0.0.1:1')).toEqual([
    [expect.stringMatching(/^--queue redis:\/\/127.0.0.1:1 is no use: /), 2],
  ]);
  expect(await complaints('worker', '--queue', 'redis://h', '--longest', '99999')).toEqual([
    [expect.stringMatching(/^--longest must be .*: minutes, for example --longest 60\.$/), 2],
  ]);
  expect(await complaints('measure', 'none', '--random', '3', '--workers', '2', '--shards', '20000')).toEqual([
    [expect.stringMatching(/^--shards must be .* for example --shards 5\.$/), 2],
  ]);
  expect(await complaints('measure', 'none', '--random', '3', '--shards', '2')).toEqual([
    [expect.stringMatching(/^none: .*there is no such file/), 2],
  ]);
});
