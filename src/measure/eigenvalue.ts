/** One eigenvalue of the Gauss-Newton matrix, in units of the loss by those of a weight squared. */
export interface Eigenvalue {
  /** At least 0; 0 where it is too small beside their sum to be told from rounding, and beyond the rank of the matrix. */
  readonly value: number;
  /**
   * One standard error of `value`: by the draw of the pairs (the linearised variance of a total that an eigenvalue is to first order, with what
   * eigenvalues push each other off by to second order, and what a pair that was missed may have), and by rounding, which is about 2^-24 of
   * the trace and all that is left of `given` where every pair of sample and column of all the data was taken.
   */
  readonly standardError: number;
  /** Whether `standardError` can be trusted, as that of the reading. */
  readonly reliable: boolean;
}

/**
 * The largest eigenvalues of the Gauss-Newton matrix of all trained weights, by falling value, as many as were asked for or as there are weights:
 *
 *     G = (1/N) sum_n J_n^T H_n J_n,
 *
 * with J_n the Jacobian of sample n's outputs by the weights, and H_n the Hessian of its loss in these.
 */
export interface TopEigenvalues {
  /** With the weights as they stand: how sharp the loss is for plain gradient descent. */
  readonly given: readonly Eigenvalue[];
  /** At the rescaling that attains Minimum Sharpness: the same whatever the scales of the layers. */
  readonly balanced: readonly Eigenvalue[];
  /**
   * Below this the largest of `given` leaves plain gradient descent stable: 2 / learning rate of the optimizer that the model is compiled with, with
   * momentum m 2 (1 + m) / learning rate. Undefined for other optimizers, and where there is none.
   */
  readonly stableBelow?: number;
  /** Pairs of sample and column that they come from. */
  readonly pairs: number;
}
