import { describe, expect, it } from 'vitest';
import { property } from '../../../src/training/control/setting.js';

describe('property', () => {
  it('gets and sets it under its name or another', () => {
    const optimizer = { rho: 0.05 };
    const rho = property(optimizer, 'rho');
    expect([rho.name, rho.get()]).toEqual(['rho', 0.05]);
    rho.set(0.1);
    expect(optimizer.rho).toBe(0.1);
    expect(property(optimizer, 'rho', 'sam/rho').name).toBe('sam/rho');
  });

  it('goes through accessors', () => {
    class Rounded {
      #rho = 0;
      get rho() {
        return this.#rho;
      }
      set rho(value: number) {
        this.#rho = Math.round(value);
      }
    }
    const object = new Rounded();
    property(object, 'rho').set(2.4);
    expect(property(object, 'rho').get()).toBe(2);
  });

  it('has types', () => {
    // @ts-expect-error: no such property
    expect(() => property({ rho: 1 }, 'tau')).toThrow();
    // @ts-expect-error: not a number
    expect(() => property({ rho: '1' }, 'rho')).toThrow();
  });

  it.each([
    [undefined, 'rho', 'the object is undefined'],
    [null, 'rho', 'the object is null'],
    [{}, 'rho', 'rho is undefined'],
    [{ rho: '1' }, 'rho', 'rho is 1'],
    [{ rho: 1 }, undefined, 'undefined is undefined'],
  ])('says in one line what is wrong with %o, %s', (object, key, found) => {
    const call = () => property(object as { rho: number }, key as 'rho');
    expect(call).toThrow(`property: an object and the name of a number in it are wanted, but ${found}.`);
  });

  it('wants a name', () => {
    expect(() => property({ rho: 1 }, 'rho', '')).toThrow("property: name must be a non-empty string, but it is ''.");
  });
});
