import { expect, it } from 'vitest';
import { replacing } from '../../src/tfjs/replaced-method.js';

class Counter {
  next(): number {
    return 1;
  }
}

it('another method is there in the scope, and afterwards what was there before, also where the scope throws', () => {
  const counter = new Counter();
  expect(
    replacing(
      counter,
      'next',
      () => 2,
      () => counter.next(),
    ),
  ).toBe(2);
  expect(Object.hasOwn(counter, 'next')).toBe(false);
  const own = () => 3;
  counter.next = own;
  const failing = () => {
    throw new Error('in the scope');
  };
  expect(() => replacing(counter, 'next', () => 2, failing)).toThrow('in the scope');
  expect(counter.next).toBe(own);
});
