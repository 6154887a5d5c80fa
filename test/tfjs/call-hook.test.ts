import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it, vi } from 'vitest';
import { withoutCallHook } from '../../src/tfjs/call-hook.js';

it("does not fire the user's hook, which is there again afterwards, also where the call throws", () => {
  const layer = tfl.layers.dense({ units: 2, inputShape: [3] });
  const hook = vi.fn();
  const x = tf.ones([4, 3]);
  const apply = () => layer.apply(x) as tf.Tensor;
  tf.tidy(() => {
    apply();
    layer.setCallHook(hook);
    expect(withoutCallHook(layer, apply).shape).toEqual([4, 2]);
    expect(hook).not.toHaveBeenCalled();
    apply();
    expect(hook).toHaveBeenCalledTimes(1);
    const failing = () => {
      throw new Error('no output');
    };
    expect(() => withoutCallHook(layer, failing)).toThrow('no output');
    apply();
    expect(hook).toHaveBeenCalledTimes(2);
  });
  x.dispose();
  layer.dispose();
});
