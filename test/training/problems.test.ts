import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { type Problem, problemsOf } from '../../src/training/problems.js';

describe('problemsOf', () => {
  let warn: MockInstance<typeof console.warn>;
  beforeEach(() => {
    warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const moment = { step: 7, epoch: 2 };
  function collected() {
    const problems = problemsOf('ms', () => moment);
    const seen: Problem[] = [];
    problems.problems$.subscribe((problem) => seen.push(problem));
    return { problems, seen };
  }

  it('puts each problem into the stream, with its moment, and each message once on the console', () => {
    const { problems, seen } = collected();
    const error = new Error('out of memory');
    problems.skip('no data');
    problems.skip('no data');
    problems.fail(undefined, error);
    problems.fail('the logs', 'a string');
    expect(seen).toEqual([
      { kind: 'skipped', ...moment, message: 'no data' },
      { kind: 'skipped', ...moment, message: 'no data' },
      { kind: 'failed', ...moment, message: 'out of memory', error },
      { kind: 'failed', ...moment, message: 'the logs: a string', error: 'a string' },
    ]);
    expect(warn.mock.calls).toEqual([
      ['tfjs-sharpness, ms: no data'],
      ['tfjs-sharpness, ms: out of memory'],
      ['tfjs-sharpness, ms: the logs: a string'],
    ]);
  });

  it('says what TensorFlow says in two lines in one', () => {
    const { problems, seen } = collected();
    problems.fail(undefined, new Error('Invalid TF_Status: 3\nMessage: shapes do not fit'));
    expect(seen[0]?.message).toBe('Invalid TF_Status: 3 Message: shapes do not fit');
    expect(warn.mock.calls).toEqual([['tfjs-sharpness, ms: Invalid TF_Status: 3 Message: shapes do not fit']]);
  });

  it('leaves the console or the stream alone where asked to', () => {
    const { problems, seen } = collected();
    problems.skipQuietly('no time');
    expect(warn).not.toHaveBeenCalled();
    problems.warn('disposed');
    expect(seen).toEqual([{ kind: 'skipped', ...moment, message: 'no time' }]);
    expect(warn.mock.calls).toEqual([['tfjs-sharpness, ms: disposed']]);
  });

  it('says the line before it hands the problem on', () => {
    const { problems } = collected();
    let linesBefore: number | undefined;
    problems.problems$.subscribe(() => {
      linesBefore = warn.mock.calls.length;
    });
    problems.skip('no data');
    expect(linesBefore).toBe(1);
  });

  it('survives a subscriber that throws, and says so once', () => {
    const { problems, seen } = collected();
    problems.problems$.subscribe(() => {
      throw new Error('no log today');
    });
    problems.skipQuietly('first');
    problems.skipQuietly('second');
    expect(seen).toHaveLength(2);
    expect(warn.mock.calls).toEqual([['tfjs-sharpness, ms: a subscriber to problems$ threw: Error: no log today']]);
  });

  it('completes', () => {
    const { problems } = collected();
    const complete = vi.fn();
    problems.problems$.subscribe({ complete });
    problems.complete();
    expect(complete).toHaveBeenCalledTimes(1);
  });
});
