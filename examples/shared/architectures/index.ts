import type { Architecture } from './architecture.js';
import { bidirectionalGru, gru, maskedGru } from './gru-classifier.js';
import { dilatedMobileNet, mobileNet } from './mobile-network.js';
import { resNet18 } from './residual-network.js';
import { layersTransformer, ownClassTransformer } from './transformer.js';
import { smallUNet, uNet } from './u-network.js';

/** All of them, by the name that the command line knows. */
export const architectures: Readonly<Record<string, Architecture>> = {
  'resnet-18': resNet18,
  mobilenet: mobileNet,
  'mobilenet-dilated': dilatedMobileNet,
  transformer: layersTransformer,
  'transformer-own-class': ownClassTransformer,
  gru,
  'gru-masked': maskedGru,
  'gru-bidirectional': bidirectionalGru,
  'u-net': uNet,
  'u-net-exact': smallUNet,
};
