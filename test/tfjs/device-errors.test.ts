import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { checkContext, deviceErrors, withDeviceErrors } from '../../src/tfjs/device-errors.js';
import { onFakeWebGpu } from './fake-webgpu.js';

describe('on WebGPU', () => {
  const fake = onFakeWebGpu();

  it('passes on what was found, and what was thrown', async () => {
    expect(await withDeviceErrors(async () => 7)).toBe(7);
    await expect(withDeviceErrors(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  it('says that the device is lost, where what waits for it says something else', async () => {
    const { device } = fake.backend;
    const unmapped = () => Promise.reject(new DOMException('Buffer was unmapped', 'AbortError'));
    await expect(withDeviceErrors(unmapped)).rejects.toThrow('Buffer was unmapped');
    const waiting = withDeviceErrors(unmapped);
    setTimeout(device.lose, 10);
    await expect(waiting).rejects.toThrow(/^The WebGPU device is lost[^\n]*: load it again/);
    await expect(withDeviceErrors(() => Promise.reject(new RangeError('no buffer')))).rejects.toThrow(/device is lost/);
  });

  it('passes on the reason of a signal at once, and what is begun while it asks for a loss is alone', async () => {
    const { device } = fake.backend;
    const controller = new AbortController();
    const aborted = withDeviceErrors(async () => {
      controller.abort();
      controller.signal.throwIfAborted();
    }, controller.signal);
    const isLate = new Promise((go) => setTimeout(go, 20, 'late'));
    await expect(Promise.race([aborted, isLate])).rejects.toBe(controller.signal.reason);

    const waiting = withDeviceErrors(() => Promise.reject(new DOMException('Buffer was unmapped', 'AbortError')));
    const hasFailed = expect(waiting).rejects.toThrow('unmapped');
    await new Promise((go) => setTimeout(go, 0));
    const next = withDeviceErrors(async () => {
      const errors = deviceErrors();
      device.report('out of memory');
      await expect(errors.check()).rejects.toThrow();
      errors.stop();
      return 7;
    });
    expect(await next).toBe(7);
    await hasFailed;
  });

  it('refuses what was found while the device reported an error, in one line', async () => {
    const { device } = fake.backend;
    const failing = withDeviceErrors(async () => {
      device.report('Buffer size exceeds the limit\n - While calling CreateBuffer');
      return 0;
    });
    await expect(failing).rejects.toThrow(
      /^The WebGPU device reported 'Buffer size exceeds the limit - While calling CreateBuffer', [^\n]*: lower memoryMB/,
    );
    device.report('afterwards');
    expect(await withDeviceErrors(async () => 7)).toBe(7);
  });

  it('tells who asks of an error once, so that it can compute again; buffers that tf.js keeps are dropped', async () => {
    const { device, bufferManager } = fake.backend;
    const found = await withDeviceErrors(async () => {
      const errors = deviceErrors();
      await errors.check();
      bufferManager.release(bufferManager.acquireBuffer(8, 1), 1);
      device.report('out of memory');
      device.report('invalid buffer');
      await expect(errors.check()).rejects.toThrow(
        /^The WebGPU device reported 'out of memory', [^\n]*: lower memoryMB/,
      );
      expect(bufferManager.destroyed).toEqual([8]);
      await errors.check();
      errors.stop();
      return 7;
    });
    expect(found).toBe(7);
  });

  it('hears of an error of which the device tells after the numbers are there', async () => {
    const { device } = fake.backend;
    const found = await withDeviceErrors(async () => {
      const errors = deviceErrors();
      device.reportLate('out of memory');
      await expect(errors.check()).rejects.toThrow('out of memory');
      await errors.check();
      errors.stop();
      return 7;
    });
    expect(found).toBe(7);
    await expect(withDeviceErrors(async () => device.reportLate('lost'))).rejects.toThrow(/reported 'lost'/);
  });

  it('refuses where an error was reported that nobody asked for, beside others', async () => {
    const failing = withDeviceErrors(async () => {
      const errors = deviceErrors();
      fake.backend.device.report('out of memory');
      await expect(errors.check()).rejects.toThrow();
      errors.stop();
      fake.backend.device.report('once more');
    });
    await expect(failing).rejects.toThrow(/^The WebGPU device reported 'once more'/);
  });

  it('does not take one for the error of the other where two run at a time', async () => {
    const { device } = fake.backend;
    let end = () => {};
    const other = withDeviceErrors(
      () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
    );
    const one = withDeviceErrors(async () => {
      const errors = deviceErrors();
      device.report('out of memory');
      await expect(errors.check()).rejects.toThrow();
      errors.stop();
    });
    await expect(one).rejects.toThrow('out of memory');
    end();
    await expect(other).rejects.toThrow('out of memory');
  });
});

describe('on WebGL', () => {
  /** What is looked at of a context. */
  const withContext = async (gl: object, run: () => Promise<unknown>) => {
    const before = tf.getBackend();
    tf.registerBackend('webgl', () => Object.assign(new tf.KernelBackend(), { gpgpu: { gl }, dispose: () => {} }));
    await tf.setBackend('webgl');
    try {
      await run();
    } finally {
      await tf.setBackend(before);
      tf.removeBackend('webgl');
    }
  };
  const context = (isLost: boolean, error: number) => ({
    OUT_OF_MEMORY: 1285,
    isContextLost: () => isLost,
    getError: () => error,
  });

  it('refuses where the context is lost, and all weights with it', () =>
    withContext(context(true, 0), async () => {
      const lost = /^The WebGL context is lost[^\n]*: load it again/;
      await expect(withDeviceErrors(async () => 7)).rejects.toThrow(lost);
      await expect(deviceErrors().check()).rejects.toThrow(lost);
    }));

  it('tells of memory that is at an end', () =>
    withContext(context(false, 1285), async () => {
      await expect(deviceErrors().check()).rejects.toThrow(/^WebGL ran out of memory: lower memoryMB/);
    }));

  it('has nothing to say otherwise', () =>
    withContext(context(false, 0), async () => {
      await deviceErrors().check();
      expect(await withDeviceErrors(async () => 7)).toBe(7);
    }));
});

it('hears nothing of other backends', async () => {
  checkContext();
  await deviceErrors().check();
});
