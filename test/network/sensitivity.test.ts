import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { trainedParameters, unfold } from '../../src/network/graph.js';
import { headColumns, sideBySide } from '../../src/network/head-columns.js';
import { outputHessians } from '../../src/network/output-hessian.js';
import { sensitivityPass } from '../../src/network/sensitivity.js';
import { planSteps, record, withoutBackward } from '../../src/network/tape.js';
import { memoryGauge } from '../../src/tfjs/memory-gauge.js';
import { sizeMixture } from '../../src/traces/pairs/size-mixture.js';
import { oneHead } from './one-head.js';

const { layers } = tfl;
const heads = oneHead(outputHessians.meanSquaredError);

/** The sizes of the pairs of each batch, in one pass. */
function sizesOf(model: tfl.LayersModel, batches: readonly tf.Tensor[], known: readonly string[] = []): number[][] {
  const graph = unfold(model);
  const plan = planSteps(graph);
  const isKnown = new Set(trainedParameters(graph).filter(({ layer }) => known.includes(layer.name)));
  const pass = sensitivityPass(graph, plan, heads, isKnown);
  const mixture = sizeMixture();
  const found = batches.map((x) => {
    const gauge = memoryGauge();
    const tape = record(graph, withoutBackward(plan), [x], gauge, pass);
    const sizes = tf.tidy(() => {
      const { tensors, of } = headColumns(heads, tape.outputs, pass.sensitivities(tape, null).q, null);
      const { joined, partsOf } = sideBySide(tensors);
      return [...mixture(of(partsOf(joined.dataSync() as Float32Array)).norms())];
    });
    tape.dispose();
    return sizes;
  });
  pass.dispose();
  return found;
}

function network(build: (x: tfl.SymbolicTensor) => tfl.SymbolicTensor, shape = [3]): tfl.LayersModel {
  const inputs = tfl.input({ shape });
  return tfl.model({ inputs, outputs: build(inputs) });
}

const relu = (units: number, name: string, seed: number) =>
  layers.dense({ units, name, activation: 'relu', kernelInitializer: tfl.initializers.heNormal({ seed }) });
const last = (name = 'last') =>
  layers.dense({ units: 2, name, kernelInitializer: tfl.initializers.heNormal({ seed: 9 }) });
const apply = (layer: tfl.layers.Layer, x: tfl.SymbolicTensor | tfl.SymbolicTensor[]) =>
  layer.apply(x) as tfl.SymbolicTensor;

describe('sensitivityPass', () => {
  const x = tf.randomNormal([40, 3], 0, 1, 'float32', 1);

  it('is the curvature alone where no sampled weight is below', () => {
    const before = tf.memory().numTensors;
    const model = network((input) => apply(last(), input));
    const [sizes] = sizesOf(model, [x], ['last']);
    // 2 / K for each of two outputs.
    expect(sizes).toEqual(Array(80).fill(1));
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('has the mean of the curvature, leaves nothing behind, and is the same for kernels of any size', () => {
    const model = network((input) => apply(last(), apply(relu(6, 'two', 2), apply(relu(5, 'one', 1), input))));
    const before = tf.memory().numTensors;
    const [sizes] = sizesOf(model, [x], ['last']);
    expect(tf.memory().numTensors).toBe(before);
    expect(sizes!.reduce((sum, size) => sum + size, 0) / 80).toBeCloseTo(1, 4);
    expect(Math.max(...sizes!) / Math.min(...sizes!)).toBeGreaterThan(2);
    const [one, two] = ['one', 'two'].map((name) => model.getLayer(name));
    tf.tidy(() => {
      const scaled = (layer: tfl.layers.Layer, factor: number) => {
        const [kernel, bias] = layer.getWeights() as [tf.Tensor, tf.Tensor];
        layer.setWeights([tf.mul(kernel, factor), bias]);
      };
      scaled(one!, 2 ** 20);
      scaled(two!, 2 ** -60);
    });
    const [rescaled] = sizesOf(model, [x], ['last']);
    rescaled!.forEach((size, i) => {
      expect(Math.abs(size / sizes![i]! - 1)).toBeLessThan(1e-3);
    });
    model.dispose();
  });

  it('leaves nothing behind where something cannot be made of the weights of a layer', () => {
    const model = network((input) => apply(last(), apply(relu(3, 'second', 2), apply(relu(4, 'first', 1), input))));
    const graph = unfold(model);
    const steps = graph.steps.map((step) => {
      const { sensitivity } = step.operation;
      const weights = () => {
        throw new Error('no kernel');
      };
      return step.operation.layer.name === 'last' && sensitivity
        ? { ...step, operation: { ...step.operation, sensitivity: { ...sensitivity, weights } } }
        : step;
    });
    const before = tf.memory().numTensors;
    expect(() => sensitivityPass(graph, planSteps({ ...graph, steps }), heads, new Set())).toThrow('no kernel');
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  it('counts branches by what they pass on', () => {
    const build = (gain: number) => {
      const model = network((input) => {
        const [left, right] = ['left', 'right'].map((name, i) => apply(relu(4, name, 3 + i), input));
        const sum = apply(layers.add(), [apply(relu(4, 'behind', 5), left!), right!]);
        return apply(last(), sum);
      });
      tf.tidy(() => {
        const [kernel, bias] = model.getLayer('behind').getWeights() as [tf.Tensor, tf.Tensor];
        model.getLayer('behind').setWeights([tf.mul(kernel, gain), bias]);
      });
      return model;
    };
    // With a loud branch, sizes are those of the loud branch alone; with a quiet one, of the other.
    const loud = build(1000);
    const alone = network((input) => apply(last(), apply(relu(4, 'behind', 5), apply(relu(4, 'left', 3), input))));
    const [both] = sizesOf(loud, [x], ['last']);
    const [one] = sizesOf(alone, [x], ['last']);
    both!.forEach((size, i) => {
      expect(Math.abs(size / one![i]! - 1)).toBeLessThan(0.35);
    });
    loud.dispose();
    alone.dispose();
  });

  it('goes through the states that a recurrent layer begins with', () => {
    const seeded = (units: number, seed: number, name: string) => ({
      units,
      name,
      kernelInitializer: tfl.initializers.heNormal({ seed }),
      recurrentInitializer: tfl.initializers.glorotNormal({ seed: seed + 1 }),
    });
    const model = network(
      (input) => {
        const encoder = layers.lstm({ ...seeded(3, 11, 'encoder'), returnState: true });
        const [, h, c] = encoder.apply(input) as tfl.SymbolicTensor[];
        return apply(last(), apply(layers.lstm(seeded(3, 21, 'decoder')), [input, h!, c!]));
      },
      [4, 3],
    );
    const sequences = tf.randomNormal([40, 4, 3], 0, 1, 'float32', 1);
    // Nothing but the encoder is sampled, and the decoder's states are the only way from there.
    const [sizes] = sizesOf(model, [sequences], ['decoder', 'last']);
    expect(Math.max(...sizes!) / Math.min(...sizes!)).toBeGreaterThan(2);
    sequences.dispose();
    model.dispose();
  });

  it('puts later chunks on the scale of all so far', () => {
    const model = network((input) => apply(last(), apply(relu(6, 'two', 2), apply(relu(5, 'one', 1), input))));
    const halves = tf.split(x, 2);
    const [whole] = sizesOf(model, [x], ['last']);
    const parts = sizesOf(model, halves, ['last']).flat();
    parts.forEach((size, i) => {
      expect(Math.abs(Math.log(size / whole![i]!))).toBeLessThan(0.7);
    });
    // The very same samples once more: nothing new is learnt.
    const [first, again] = sizesOf(model, [x, x], ['last']);
    again!.forEach((size, i) => {
      expect(Math.abs(size / first![i]! - 1)).toBeLessThan(1e-4);
    });
    tf.dispose(halves);
    model.dispose();
  });
});
