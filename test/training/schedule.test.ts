import { describe, expect, it } from 'vitest';
import { checkSchedule, isDue } from '../../src/training/schedule.js';

describe('checkSchedule', () => {
  it.each([{ epochs: 1 }, { batches: 3 }, { epochs: 2, batches: undefined }, { overhead: 0.05 }, { overhead: 1 }])(
    'takes %o',
    (every) => {
      expect(() => checkSchedule(every)).not.toThrow();
    },
  );

  it.each([
    [{}],
    [{ epochs: 1, batches: 1 }],
    [{ epochs: 0 }],
    [{ epochs: -1 }],
    [{ batches: 1.5 }],
    [{ batches: Number.NaN }],
    [{ batches: Number.POSITIVE_INFINITY }],
    [{ batches: '2' }],
    [{ seconds: 1 }],
    [{ overhead: 0 }],
    [{ overhead: -0.1 }],
    [{ overhead: 5 }], // percent
    [{ overhead: 1.01 }],
    [{ overhead: '5%' }],
    [{ overhead: Number.NaN }],
    [{ overhead: 0.1, epochs: 1 }],
    [null],
    [3],
  ])('refuses %o in one line', (every) => {
    expect(() => checkSchedule(every)).toThrow(/^every must be \{ epochs: k \} or \{ batches: k \}[^\n]*$/);
  });

  it('shows what it was given', () => {
    expect(() => checkSchedule({ epochs: 0 })).toThrow('{ epochs: 0 }');
    expect(() => checkSchedule(3)).toThrow('it is 3');
  });
});

describe('isDue', () => {
  it('is due after every k-th', () => {
    const due = [1, 2, 3, 4, 5, 6].filter((count) => isDue({ batches: 3 }, 'batches', count));
    expect(due).toEqual([3, 6]);
  });

  it('leaves the other unit alone', () => {
    expect(isDue({ batches: 1 }, 'epochs', 1)).toBe(false);
    expect(isDue({ epochs: 1 }, 'batches', 1)).toBe(false);
    expect(isDue({ epochs: 1 }, 'epochs', 1)).toBe(true);
  });
});
