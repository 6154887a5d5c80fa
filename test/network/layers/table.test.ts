import { readdirSync, readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { measureSharpness } from '../../../src/index.js';
import {
  biasSquaredNorm,
  joinPositions,
  type LayerRule,
  multiplyEachColumn,
  type Operation,
  registerLayerRule,
} from '../../../src/layers.js';
import { unfold } from '../../../src/network/graph.js';
import { generic } from '../../../src/network/layers/generic.js';
import { layerTable, ruleOf } from '../../../src/network/layers/table.js';

const { layers } = tfl;

describe('the table of layers', () => {
  it('has an answer for every layer class of tf.js', () => {
    const classes = Object.entries(tf.serialization.SerializationMap.getMap().classNameMap);
    const layerClasses = classes.filter(
      ([, [made]]) => (made as unknown as { prototype: unknown }).prototype instanceof layers.Layer,
    );
    expect(layerClasses.length).toBeGreaterThan(60);
    expect(layerClasses.map(([name]) => name).filter((name) => !Object.hasOwn(layerTable, name))).toEqual([]);
  });

  it('names no class that tf.js does not have', () => {
    const known = tf.serialization.SerializationMap.getMap().classNameMap;
    expect(Object.keys(layerTable).filter((name) => !(name in known))).toEqual([]);
  });

  it('refuses in one line that names the layer and says what to do', () => {
    const named = { name: 'mine', weights: [] };
    const refused = Object.entries(layerTable).filter(([, { support }]) => support === 'refused');
    expect(refused.length).toBeGreaterThan(0);
    for (const [className, { rule }] of refused) {
      const layer = { ...named, getClassName: () => className } as unknown as tfl.layers.Layer;
      const call = () =>
        rule(layer, () => {
          throw new Error('no parameters');
        });
      expect(call).toThrow(new RegExp(`^Layer 'mine' \\(${className}\\) .+: .+\\.$`));
      expect(call).not.toThrow(/\n/);
    }
  });

  it('lets a layer without a gradient stand in front of the weights, and nowhere else', async () => {
    const model = (...below: tfl.layers.Layer[]) =>
      tfl.sequential({
        layers: [
          ...below,
          layers.centerCrop({ height: 2, width: 2 }),
          layers.flatten(),
          layers.dense({ units: 2, kernelInitializer: 'ones', name: `${below[0]!.name}_out` }),
        ],
      });
    const inFront = model(layers.zeroPadding2d({ padding: 1, inputShape: [4, 4, 1], name: 'padded' }));
    const x = tf.randomUniform([3, 4, 4, 1], 0, 1, 'float32', 1);
    const reading = await measureSharpness(inFront, x, { loss: 'meanSquaredError' });
    expect(reading.trace).toBeGreaterThan(0);
    const behind = model(layers.conv2d({ filters: 1, kernelSize: 1, inputShape: [4, 4, 1], name: 'trained' }));
    await expect(measureSharpness(behind, x, { loss: 'meanSquaredError' })).rejects.toThrow(
      /^Layer '.+' \(CenterCrop\) cannot be measured: it has no gradient in tf\.js.+before the first layer with weights\.$/,
    );
    x.dispose();
  });
});

describe('deltas and squared gradient norms of each layer', () => {
  it('are checked for every class that the table does not refuse', () => {
    const here = new URL('.', import.meta.url);
    const text = readdirSync(here)
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => readFileSync(new URL(file, here), 'utf8'))
      .join('\n');
    const cases = [...text.matchAll(/^checkLayers\(\{$(.*?)^\}\);$/gms)].map(([, each]) => each).join('\n');
    const checked = new Set([...cases.matchAll(/^ {2}(\w+): /gm)].map(([, className]) => className));
    const answered = Object.entries(layerTable).filter(
      ([, { support }]) => support !== 'refused' && support !== 'unfolded',
    );
    expect(answered.map(([name]) => name).filter((name) => !checked.has(name))).toEqual(['CenterCrop']);
  });
});

/** y = gain * x, one gain a channel. */
class Gain extends layers.Layer {
  static className = 'Gain';
  gain!: tfl.LayerVariable;
  override build(shape: tfl.Shape): void {
    this.gain = this.addWeight('gain', [shape[shape.length - 1] as number], 'float32', tfl.initializers.ones());
    this.built = true;
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.mul(Array.isArray(inputs) ? inputs[0]! : inputs, this.gain.read());
  }
}
/** The same, of which the package knows nothing. */
class UnknownGain extends Gain {
  static override className = 'UnknownGain';
}

const gainRule: LayerRule = (layer, parameter) => {
  const { gain } = layer as Gain;
  const operation: Operation = {
    layer,
    description: 'Gain',
    scale: 'affine',
    piecewiseLinear: true,
    parameters: [parameter(gain, 'kernel')],
    forward: ([x]) => ({ output: tf.mul(x!, gain.read()), saved: [x!] }),
    backward: (_call, delta) => [tf.mul(delta, gain.read())],
    squaredNorms: (calls, columns) => {
      const gradients = calls.map(({ saved, delta }): tf.Tensor3D => {
        const product = multiplyEachColumn(delta, saved[0]!, columns);
        return tf.reshape(product, [product.shape[0], -1, product.shape[product.rank - 1]!]);
      });
      return [biasSquaredNorm(joinPositions(gradients), columns)];
    },
  };
  return [operation];
};

describe('registerLayerRule', () => {
  const network = (gain: Gain) =>
    tfl.sequential({
      layers: [
        layers.dense({ units: 4, inputShape: [5, 3], kernelInitializer: tfl.initializers.randomNormal({ seed: 1 }) }),
        gain,
        layers.flatten(),
        layers.dense({ units: 3, kernelInitializer: tfl.initializers.randomNormal({ seed: 2 }) }),
      ],
    });

  it('measures a layer by its rule: the same traces as the generic way, and a scale of its own', async () => {
    registerLayerRule('Gain', gainRule);
    const x = tf.randomNormal([6, 5, 3], 0, 1, 'float32', 3);
    const options = { loss: 'softmaxCrossEntropy' } as const;
    const byRule = await measureSharpness(network(new Gain({})), x, options);
    const generic = await measureSharpness(network(new UnknownGain({})), x, options);
    expect(byRule.exact).toBe(true);
    expect(generic.exact).toBe(false);
    byRule.parameters.forEach(({ trace }, b) => {
      expect(Math.abs(trace / generic.parameters[b]!.trace - 1)).toBeLessThan(1e-4);
    });
    expect(byRule.scales.length).toBe(3);
    expect(generic.scales.length).toBe(0);
    expect(byRule.minimumSharpness).toBeLessThan(generic.minimumSharpness);
    x.dispose();
  });

  it('leaves classes that nobody knows to the generic way, whatever their names', () => {
    registerLayerRule('Gain', gainRule);
    expect(ruleOf('Gain')).toBe(gainRule);
    expect(ruleOf('Dense')).toBe(layerTable.Dense!.rule);
    expect(['UnknownGain', 'constructor', 'toString'].map(ruleOf)).toEqual([generic, generic, generic]);
  });

  it('takes a later rule for the same class', () => {
    registerLayerRule('Gain', () => {
      throw new Error('the later rule');
    });
    expect(() => unfold(network(new Gain({})))).toThrow('the later rule');
    registerLayerRule('Gain', gainRule);
    expect(() => unfold(network(new Gain({})))).not.toThrow();
  });

  it.each([
    ['a class of tf.js', () => registerLayerRule('Dense', gainRule), /'Dense'.+className of its own/],
    ['no name', () => registerLayerRule('', gainRule), /first argument/],
    ['no rule', () => registerLayerRule('Gain', {} as LayerRule), /'Gain'.+second argument/],
  ])('refuses %s in one line', (_, call, message) => {
    expect(call).toThrow(message);
    expect(call).not.toThrow(/\n/);
  });
});
