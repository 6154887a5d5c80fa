import { expect, test } from 'vitest';
import { Failure, isFailure } from '../../src/files/failure.js';

test.each<[error: unknown, failure: boolean]>([
  [new Failure('a PNG image needs the package pngjs: npm install pngjs'), true],
  [new TypeError("Cannot read properties of undefined (reading 'shape')"), true],
  [new RangeError('Array buffer allocation failed'), true],
  [new Error('Invalid TF_Status: 8 Message: OOM when allocating tensor'), true],
  ['a text', true],
  [new Error("'x.npy' is cut off: copy it again."), false],
  [new RangeError('pairs: pass a whole number'), false],
  [new Error('Invalid TF_Status: 3 Message: shapes'), false],
])('%s', (error, failure) => {
  expect(isFailure(error)).toBe(failure);
});
