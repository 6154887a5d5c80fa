import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { callOf, callsOf, inputNames, isModel, outputNames } from '../../src/tfjs/model-graph.js';

const dense = (units: number, name?: string) => tfl.layers.dense({ units, name });

it('knows a model from a layer, also from one with a layer inside', () => {
  const input = tfl.input({ shape: [3] });
  const functional = tfl.model({ inputs: input, outputs: dense(2).apply(input) as tfl.SymbolicTensor });
  const sequential = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [3] })] });
  const repeated = tfl.layers.timeDistributed({ layer: dense(2) });
  expect([functional, sequential, dense(2), repeated].map(isModel)).toEqual([true, true, false, false]);
  functional.dispose();
  sequential.dispose();
});

it('finds the call that a tensor came out of, of a layer that is called several times', () => {
  const [a, b] = [tfl.input({ shape: [3] }), tfl.input({ shape: [3] })];
  const shared = dense(2);
  const [ofA, ofB] = [a, b].map((input) => shared.apply(input) as tfl.SymbolicTensor);
  const sum = tfl.layers.add().apply([ofA, ofB]) as tfl.SymbolicTensor;
  expect(callOf(ofA)).toEqual({ layer: shared, inputs: [a], outputs: [ofA] });
  expect(callOf(ofB).inputs[0]).toBe(b);
  expect(callOf(sum).inputs).toEqual([ofA, ofB]);
  expect(callsOf(shared).map(({ outputs: [output] }) => output)).toEqual([ofA, ofB]);
  shared.dispose();
});

it('finds the call of a model that is called as a layer', () => {
  const inner = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [3] })] });
  const input = tfl.input({ shape: [3] });
  const output = inner.apply(input) as tfl.SymbolicTensor;
  expect(callOf(output).layer).toBe(inner);
  expect(callOf(output).inputs).toEqual([input]);
  inner.dispose();
});

it('names the inputs and outputs of a Sequential before anything has run it', () => {
  const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [3], name: 'only' })] });
  expect([model.inputNames, model.outputNames]).toEqual([[], []]);
  expect([inputNames(model), outputNames(model)]).toEqual([['only_input'], ['only']]);
  model.dispose();
});

it('names them as tf.js does where it does', () => {
  const inputs = ['left', 'right'].map((name) => tfl.input({ shape: [3], name }));
  const merged = tfl.layers.concatenate().apply(inputs) as tfl.SymbolicTensor;
  const outputs = ['main', 'aux'].map((name) => dense(2, name).apply(merged) as tfl.SymbolicTensor);
  const model = tfl.model({ inputs, outputs });
  expect(inputNames(model)).toEqual(['left', 'right']);
  expect(inputNames(model)).toEqual(model.inputNames);
  expect(outputNames(model)).toEqual(['main', 'aux']);
  expect(outputNames(model)).toEqual(model.outputNames);
  const before = tf.memory().numTensors;
  model.dispose();
  expect(tf.memory().numTensors).toBe(before - 4);
});
