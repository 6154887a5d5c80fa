import { convolutionalNetworks } from './convolutional.js';
import { denseNetworks } from './dense.js';
import { joinedNetworks } from './joined.js';
import type { CoverageNetwork } from './network.js';
import { recurrentNetworks } from './recurrent.js';
import { trainedNetworks } from './trained.js';

/** Networks that hide their curvature in few samples, and trained ones, by kind. */
export const coverageNetworks: Readonly<Record<string, readonly CoverageNetwork[]>> = {
  dense: denseNetworks,
  convolutional: convolutionalNetworks,
  recurrent: recurrentNetworks,
  joined: joinedNetworks,
  trained: trainedNetworks,
};
