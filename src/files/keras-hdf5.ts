/// <reference path="./jsfive.d.ts" />
import type { Hdf5Item } from 'jsfive';
import { arrayOf, child, openHdf5 } from './hdf5.js';
import { isObject, type Json, parseJson } from './json-text.js';
import type { KerasWeights } from './keras-weights.js';

/** What an .h5 file of Keras 2, or of Keras 3 by `model.save('model.h5')`, holds. */
export interface KerasHdf5 {
  /** `{ class_name, config }`. */
  readonly config: Json;
  /** `training_config`, where the model was compiled. */
  readonly training: unknown;
  /** Weights of each layer of the model by its name; those of a model among them in one list. */
  readonly weights?: KerasWeights;
}

/**
 * Reads a whole model in HDF5.
 *
 * @throws Error with one line for a file that is damaged, of weights alone, or by a Keras whose weights mean something else.
 */
export function readKerasHdf5(name: string, bytes: Uint8Array, withWeights: boolean): KerasHdf5 {
  const file = undamaged(name, () => openHdf5(bytes));
  const { model_config, training_config, ...others } = undamaged(name, () => file.attrs);
  if (typeof model_config !== 'string') {
    throw new Error(
      `'${name}' ${withoutModel(
        undamaged(name, () => file.keys ?? []),
        file.attrs,
      )}`,
    );
  }
  const { keras_version = '1', backend } = { ...undamaged(name, () => child(file, 'model_weights')?.attrs), ...others };
  if (/^[01](\.|$)/.test(String(keras_version)) || backend === 'theano') {
    throw new Error(
      `'${name}' was written by Keras ${keras_version}${backend === 'theano' ? ' on Theano' : ''}, whose weights lie otherwise: load it ` +
        'in Keras 2 on TensorFlow, and save it again.',
    );
  }
  const parsed = (attribute: string, text: string) =>
    parseJson(`${name}: ${attribute}`, new TextEncoder().encode(text));
  const config = parsed('model_config', model_config);
  if (!isObject(config)) {
    throw new Error(`'${name}: model_config' is no model: save it again.`);
  }
  return {
    config,
    training: typeof training_config === 'string' ? parsed('training_config', training_config) : undefined,
    ...(withWeights && { weights: undamaged(name, () => weightsIn(file)) }),
  };
}

function withoutModel(keys: readonly string[], attributes: Hdf5Item['attrs']): string {
  return 'layer_names' in attributes || keys.some((key) => ['layers', '_layer_checkpoint_dependencies'].includes(key))
    ? "holds the weights of a model without its layers: save the model whole, model.save('model.keras')."
    : "is an HDF5 file without a model of Keras: save the model whole, model.save('model.keras').";
}

function undamaged<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error(`'${name}' is cut off or damaged: copy it again.`, { cause: error });
  }
}

function weightsIn(file: Hdf5Item): KerasWeights {
  const groups = child(file, 'model_weights');
  if (groups === undefined) {
    throw new Error('no weights');
  }
  return new Map(
    namesIn(groups, 'layer_names').map((layer) => {
      const group = groups.get(layer);
      return [
        layer,
        namesIn(group, 'weight_names')
          .filter((weight) => !isRandomState(weight))
          .map((weight) => ({ name: weight, ...arrayOf(group.get(weight)) })),
      ];
    }),
  );
}

/** Where layers that draw keep the state of their generator among the weights. */
const isRandomState = (weight: string) => /(^|\/)(StateVar|seed_generator_state)(_\d+)?(:\d+)?$/.test(weight);

/** A list of texts, which HDF5 keeps in parts where it is longer than 64 kB, each filled up with zeros to the length of the longest. */
function namesIn({ attrs }: Hdf5Item, attribute: string): string[] {
  const parts = attribute in attrs ? [attrs[attribute]] : [];
  while (`${attribute}${parts.length}` in attrs) {
    parts.push(attrs[`${attribute}${parts.length}`]);
  }
  return (parts.flat() as string[]).map((name) => name.replace(/\0+$/, ''));
}
