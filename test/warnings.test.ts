import { afterEach, describe, expect, it, vi } from 'vitest';
import { informBy, informOnce, lineOf, reasonOf, warnOnce } from '../src/warnings.js';

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each([
  ['warnOnce', 'warn', warnOnce],
  ['informOnce', 'info', informOnce],
] as const)('%s', (_, method, make) => {
  it('says each line once, after the scope', () => {
    const said = vi.spyOn(console, method).mockImplementation(() => {});
    const say = make('tfjs-sharpness, here');
    for (const line of ['one', 'two', 'one', 'two', '', '']) {
      say(line);
    }
    expect(said.mock.calls).toEqual([
      ['tfjs-sharpness, here: one'],
      ['tfjs-sharpness, here: two'],
      ['tfjs-sharpness, here: '],
    ]);
  });

  it('says one line about one thing, in words or an object', () => {
    const said = vi.spyOn(console, method).mockImplementation(() => {});
    const say = make('s');
    const [first, second] = [{}, {}];
    say('loss is 1', 'loss');
    say('loss is 2', 'loss');
    say('model 1', first);
    say('model 1', second);
    say('model 2', first);
    expect(said.mock.calls).toEqual([['s: loss is 1'], ['s: model 1'], ['s: model 1']]);
  });

  it('remembers for each scope on its own', () => {
    const said = vi.spyOn(console, method).mockImplementation(() => {});
    make('a')('line');
    make('a')('line');
    expect(said).toHaveBeenCalledTimes(2);
  });
});

it('reasonOf is the message of an error, and whatever else was thrown as text', () => {
  expect(reasonOf(new RangeError('too large'))).toBe('too large');
  expect([reasonOf('text'), reasonOf(undefined), reasonOf(3)]).toEqual(['text', 'undefined', '3']);
});

it('lineOf joins the lines of an error, since the reason may stand in any of them', () => {
  expect(lineOf(new Error('Invalid TF_Status: 3\n  Message: no such axis\n\n'))).toBe(
    'Invalid TF_Status: 3 Message: no such axis',
  );
  expect([lineOf(new Error('one')), lineOf('two\nlines')]).toEqual(['one', 'two lines']);
});

it('what is no warning is said where a program wants it', () => {
  const said = vi.spyOn(console, 'info').mockImplementation(() => {});
  const say = informOnce('s');
  const lines: string[] = [];
  informBy((line) => lines.push(line));
  say('one');
  informBy((line) => console.info(line));
  say('two');
  expect(lines).toEqual(['s: one']);
  expect(said.mock.calls).toEqual([['s: two']]);
});
