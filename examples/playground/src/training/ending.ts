/** How a training ended. */
export interface Ending {
  /** The last epoch, from 0, and how many were asked for. */
  readonly epoch: number;
  readonly epochs: number;
  /** By hand. */
  readonly stopped: boolean;
  /** Whether early stopping ended it. */
  readonly stoppedEarly: boolean;
  /** Whose weights early stopping has put back, from 0; it does so whatever ended the training. */
  readonly bestEpoch: number | undefined;
  /** Of the last batch or epoch. */
  readonly loss: number;
}

/** The same in words. A loss that is not finite ends training too, and that is no minimum. */
export function endingInWords({ epoch, epochs, stopped, stoppedEarly, bestEpoch, loss }: Ending): string {
  const count = `${epoch + 1} epoch${epoch === 0 ? '' : 's'}`;
  const back = bestEpoch === undefined ? '' : ` The weights of epoch ${bestEpoch + 1} are back.`;
  if (!Number.isFinite(loss)) {
    return `The loss is ${loss} after ${count}: a lower learning rate may help.${back}`;
  }
  if (stopped) {
    return `Stopped in epoch ${epoch + 1}.${back}`;
  }
  if (stoppedEarly) {
    return `Early stopping: MS has levelled off after ${count}.${back}`;
  }
  return `${epoch + 1 < epochs ? 'Ended after' : 'Trained for'} ${count}.${back}`;
}
