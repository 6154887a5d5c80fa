import type { Head } from '../../src/network/heads.js';
import type { OutputHessian } from '../../src/network/output-hessian.js';

/** The heads of a network with one output of shape [N, K]. */
export function oneHead(hessian: OutputHessian): Head[] {
  return [
    {
      name: 'output',
      output: 0,
      hasPositions: false,
      columns: undefined,
      weights: null,
      rowSums: null,
      labels: null,
      lossWeight: 1,
      hessian,
    },
  ];
}
