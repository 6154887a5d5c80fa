import * as tfl from '@tensorflow/tfjs-layers';
import type { Settings } from '../settings.js';

/** A network, and the layers whose scale the next one can take back. */
export interface Network {
  readonly model: tfl.Sequential;
  readonly rescalable: readonly Rescalable[];
}

/** `layer`'s first two weights (kernel and bias, or gamma and beta) times c, and `next`'s first one (kernel) by c: the same function. */
export interface Rescalable {
  readonly name: string;
  readonly layer: tfl.layers.Layer;
  readonly next: tfl.layers.Layer;
}

/** Widths of the hidden dense layers. */
const widths = { digits: [128, 64], points: [32, 32] };

/** relu throughout, softmax in the end. Weights depend on the seed alone. */
export function network(
  { data, network, batchNorm, seed }: Settings,
  { width, classes }: { width: number; classes: number },
): Network {
  const { activation, batchNormalization, conv2d, dense, flatten, maxPooling2d, reshape } = tfl.layers;
  const layers: tfl.layers.Layer[] = [];
  let weighted = 0;
  /** A hidden layer with weights: relu at once, or behind the normalization. */
  const hidden = (
    make: (options: {
      name: string;
      activation?: 'relu';
      kernelInitializer: ReturnType<typeof tfl.initializers.heNormal>;
    }) => tfl.layers.Layer,
    kind: string,
  ) => {
    weighted++;
    const kernelInitializer = tfl.initializers.heNormal({ seed: 100 * seed + weighted });
    const name = `${kind}_${weighted}`;
    if (batchNorm) {
      layers.push(make({ name, kernelInitializer }));
      // Averages over about ten batches: trainings here are short.
      layers.push(batchNormalization({ name: `batch_norm_${weighted}`, momentum: 0.9 }));
      layers.push(activation({ name: `relu_${weighted}`, activation: 'relu' }));
    } else {
      layers.push(make({ name, activation: 'relu', kernelInitializer }));
    }
  };
  if (network === 'cnn') {
    layers.push(reshape({ inputShape: [width], targetShape: [28, 28, 1], name: 'image' }));
    hidden((options) => conv2d({ ...options, filters: 8, kernelSize: 3 }), 'convolution');
    layers.push(maxPooling2d({ poolSize: 2 }));
    hidden((options) => conv2d({ ...options, filters: 16, kernelSize: 3 }), 'convolution');
    layers.push(maxPooling2d({ poolSize: 2 }), flatten());
  } else {
    (data === 'digits' ? widths.digits : widths.points).forEach((units, i) => {
      hidden((options) => dense({ ...options, units, ...(i === 0 ? { inputShape: [width] } : {}) }), 'dense');
    });
  }
  const kernelInitializer = tfl.initializers.heNormal({ seed: 100 * seed });
  layers.push(dense({ name: 'output', units: classes, activation: 'softmax', kernelInitializer }));

  const withKernel = layers.filter((layer) => /^(dense|convolution|output)/.test(layer.name));
  const rescalable = withKernel.slice(0, -1).map((layer, i) => {
    const behind = layers[layers.indexOf(layer) + 1];
    // What is behind a normalization has the scale of its gamma, whatever the kernel in front of it has.
    const scaled = batchNorm ? behind : layer;
    return { name: scaled.name, layer: scaled, next: withKernel[i + 1] };
  });
  return { model: tfl.sequential({ layers }), rescalable };
}
