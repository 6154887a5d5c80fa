import { expect, it, vi } from 'vitest';
import { throwIfAborted, withFirstOf } from '../src/abort-signals.js';

/** As that of React Native is: an event, and no reason. */
function bareController(): AbortController {
  const signal = Object.assign(new EventTarget(), { aborted: false, onabort: null });
  const abort = () => {
    signal.aborted = true;
    signal.dispatchEvent(new Event('abort'));
  };
  return { signal, abort } as unknown as AbortController;
}

it('throws the reason of a signal that was aborted, and an error in one line where the runtime keeps none', () => {
  expect(() => throwIfAborted(undefined)).not.toThrow();
  expect(() => throwIfAborted(new AbortController().signal)).not.toThrow();
  expect(() => throwIfAborted(AbortSignal.abort('enough'))).toThrow('enough');
  expect(() => throwIfAborted(AbortSignal.abort(null))).toThrow();
  const { signal, abort } = bareController();
  expect(() => throwIfAborted(signal)).not.toThrow();
  abort();
  expect(() => throwIfAborted(signal)).toThrow(
    expect.objectContaining({ name: 'AbortError', message: 'The signal was aborted.' }),
  );
});

it.each([0, 1, 2])('is aborted with the first of several, with its reason: %i', async (which) => {
  const controllers = Array.from({ length: 3 }, () => new AbortController());
  const signals = controllers.map(({ signal }) => signal);
  await withFirstOf([...signals, undefined], async (signal) => {
    expect(signal.aborted).toBe(false);
    const heard = vi.fn();
    signal.addEventListener('abort', heard);
    controllers[which]!.abort(`reason ${which}`);
    controllers[0]!.abort('too late');
    expect(signal).toMatchObject({ aborted: true, reason: `reason ${which}` });
    expect(heard).toHaveBeenCalledTimes(1);
  });
});

it('is aborted at once with one that was aborted before, also of a runtime without reasons', async () => {
  const old = bareController();
  old.abort();
  await withFirstOf([AbortSignal.abort('before')], async ({ aborted, reason }) => {
    expect({ aborted, reason }).toEqual({ aborted: true, reason: 'before' });
  });
  await withFirstOf([old.signal], async ({ aborted }) => expect(aborted).toBe(true));
});

it('gives what is run, and leaves nothing behind at the signals, however it ends', async () => {
  const { signal } = new AbortController();
  const added = vi.spyOn(signal, 'addEventListener');
  const removed = vi.spyOn(signal, 'removeEventListener');
  expect(await withFirstOf([signal], async () => 7)).toBe(7);
  await expect(withFirstOf([signal], () => Promise.reject(new Error('not today')))).rejects.toThrow('not today');
  expect(added.mock.calls).toHaveLength(2);
  expect(removed.mock.calls).toEqual(added.mock.calls);
});
