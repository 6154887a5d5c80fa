import type { layers } from '@tensorflow/tfjs-layers';

type Layer = layers.Layer;

/** The fields in which tf.js' wrappers, recurrent layers, stacked cells and models keep the layers inside of them. */
const fields = ['cell', 'cells', 'layer', 'layers', 'forwardLayer', 'backwardLayer'];

/** A layer of the user's may have something else in such a field, such as a number of layers. */
const isLayer = (value: unknown): value is Layer =>
  typeof (value as { readonly getClassName?: unknown } | null | undefined)?.getClassName === 'function';

/** A layer or a model, and the layers inside of it, however deep, each once. What a layer of the user's has in other fields is not seen. */
export function layersInside(outer: object): Layer[] {
  const found = new Set<Layer>();
  const visit = (layer: Layer) => {
    if (!found.has(layer)) {
      found.add(layer);
      const held = layer as unknown as Readonly<Record<string, unknown>>;
      fields
        .flatMap((field) => held[field])
        .filter(isLayer)
        .forEach(visit);
    }
  };
  visit(outer as Layer);
  return [...found];
}
