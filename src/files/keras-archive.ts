/// <reference path="./jsfive.d.ts" />
import type { Hdf5Item } from 'jsfive';
import { arrayOf, child, type Hdf5Array, openHdf5 } from './hdf5.js';
import { type Json, parseJson } from './json-text.js';
import { unzip } from './zip.js';

/** What a .keras archive holds. */
export interface KerasArchive {
  /** `{ module, class_name, config, compile_config }`. */
  readonly config: Json;
  /** Weights by the name of their layer, with the names of the models around it before it: `branch/dense`. */
  readonly weights?: ReadonlyMap<string, readonly Hdf5Array[]>;
}

/**
 * Reads an archive of Keras 3: a zip of config.json and model.weights.h5.
 *
 * @throws Error with one line for a damaged archive, one that would fill the memory, or one without weights.
 */
export function readKerasArchive(name: string, bytes: Uint8Array, withWeights: boolean): KerasArchive {
  const files = unzip(name, bytes, (file) =>
    withWeights ? ['config.json', 'model.weights.h5'].includes(file) : file === 'config.json',
  );
  const text = files.get('config.json');
  if (text === undefined) {
    throw new Error(`'${name}' is a zip archive without config.json: it is not a .keras file.`);
  }
  const config = parseJson(`${name}: config.json`, text) as Json | null;
  if (typeof config?.config !== 'object' || config.config === null) {
    throw new Error(`'${name}: config.json' is no model: it is not a .keras file.`);
  }
  if (!withWeights) {
    return { config };
  }
  const stored = files.get('model.weights.h5');
  if (stored === undefined) {
    throw new Error(
      `'${name}' has no model.weights.h5, so that its weights are missing: save the model whole, model.save('model.keras').`,
    );
  }
  const weights = new Map<string, readonly Hdf5Array[]>();
  try {
    collect(openHdf5(stored), config, '', weights);
  } catch (error) {
    if (error instanceof MissingWeights) {
      throw error;
    }
    throw new Error(`'${name}': its model.weights.h5 is cut off or damaged: save the model again.`, { cause: error });
  }
  return { config, weights };
}

class MissingWeights extends Error {}

/** Keras numbers the layers of a model by their class, in their order. */
function collect(group: Hdf5Item, model: Json, path: string, into: Map<string, readonly Hdf5Array[]>): void {
  const { layers } = model.config as { layers?: readonly Json[] };
  const inner = child(group, 'layers') ?? child(group, '_layer_checkpoint_dependencies');
  const used = new Map<string, number>();
  for (const layer of layers ?? []) {
    const { name } = layer.config as { name: string };
    const kind = snakeCase(layer.class_name as string);
    const before = used.get(kind) ?? 0;
    used.set(kind, before + 1);
    const own = inner && child(inner, before === 0 ? kind : `${kind}_${before}`);
    if (Array.isArray((layer.config as Json).layers)) {
      if (own === undefined) {
        throw new MissingWeights(`the archive has no weights of the model '${path}${name}': save it again.`);
      }
      collect(own, layer, `${path}${name}/`, into);
    } else {
      into.set(`${path}${name}`, own ? weightsIn(own, `${path}${name}`) : []);
    }
  }
}

/** Layers in layers, in the order in which tf.js has their weights. */
const innerLayers = ['cell', 'cells', 'layer', 'forward_layer', 'backward_layer'];
/** What Keras keeps there, and what no reading depends on. */
const notWeights = ['vars', 'seed_generator', 'supports_jit'];

function weightsIn(group: Hdf5Item, layer: string): Hdf5Array[] {
  const vars = child(group, 'vars');
  const own = [...(vars?.keys ?? [])].sort((a, b) => Number(a) - Number(b)).map((key) => arrayOf(vars!.get(key)));
  const names = [...(group.keys ?? [])];
  // Of stacked cells: lstm_cell, lstm_cell_1.
  const numbered = names.filter((key) => /_cell(_\d+)?$/.test(key)).sort((a, b) => numberOf(a) - numberOf(b));
  const stranger = names.find(
    (key) => ![...notWeights, ...innerLayers, ...numbered].includes(key) && weightsIn(group.get(key), layer).length > 0,
  );
  if (stranger !== undefined) {
    throw new MissingWeights(
      `layer '${layer}' keeps weights in '${stranger}', whose order in tf.js is not known: save the model for tf.js.`,
    );
  }
  const inner = [...innerLayers, ...numbered].flatMap((key) => {
    const found = child(group, key);
    // A wrapper around a layer keeps it twice.
    const isSecond = key === 'layer' && names.includes('forward_layer');
    return found && !isSecond ? weightsIn(found, layer) : [];
  });
  return [...own, ...inner];
}

const numberOf = (name: string) => Number(/_(\d+)$/.exec(name)?.[1] ?? 0);

function snakeCase(name: string): string {
  return name
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}
