import { describe, expect, it } from 'vitest';
import { inLayer, type Layer, type Operation } from '../../../src/network/layers/operation.js';

const operation: Operation = {
  layer: { name: 'third' } as Layer,
  description: 'tanh activation',
  scale: 'pins',
  piecewiseLinear: false,
  parameters: [],
  forward: ([x]) => ({ output: x!, saved: [] }),
  backward: (_call, delta) => [delta],
};

/** What `inLayer` makes of something thrown. */
function thrownBy(thrown: unknown): Error {
  try {
    inLayer(operation, () => {
      throw thrown;
    });
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

describe('inLayer', () => {
  it('returns what the method returns', () => {
    expect(inLayer(operation, () => 7)).toBe(7);
  });

  it('names the layer in one line, and keeps the error as the cause', () => {
    const cause = new Error('Cannot compute gradient: no gradient\nfor Foo.');
    const error = thrownBy(cause);
    expect(error.message).toBe(
      "Layer 'third' (tanh activation) cannot be measured: Cannot compute gradient: no gradient for Foo.",
    );
    expect(error.cause).toBe(cause);
  });

  it('takes what is thrown without being an error', () => {
    expect(thrownBy('out of memory').message).toBe("Layer 'third' (tanh activation) cannot be measured: out of memory");
    expect(thrownBy(undefined).message).toMatch(/: undefined$/);
  });
});
