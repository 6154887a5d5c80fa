import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { autodiffTraces } from './autodiff-traces.js';
import { kerasArchitecture, kerasArchitectures } from './keras-architectures.js';

const loss = 'softmaxCrossEntropy';

test.each(Object.keys(kerasArchitectures))(
  '%s, as Keras 2 writes it, has the traces that tf.js gradients give',
  async (name) => {
    const { model, inputs } = await kerasArchitecture(name);
    const expected = await autodiffTraces(model, [{ loss }], [inputs]);
    const { parameters, trace } = await measureSharpness(model, inputs, { loss });
    expect(parameters.map((parameter) => parameter.name).sort()).toEqual([...expected.keys()].sort());
    expect(trace).toBeGreaterThan(1e-3);
    for (const { name: weight, trace: found } of parameters) {
      const wanted = expected.get(weight)!;
      expect(Math.abs(found - wanted), `${weight}: ${found} for ${wanted}`).toBeLessThan(1e-4 * wanted + 1e-8 * trace);
    }
    tf.dispose(inputs);
    model.dispose();
  },
);
