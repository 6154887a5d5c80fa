/** Mean training loss and accuracy of the batches since they were last taken, each batch weighted by its samples. */
export class BatchMeans {
  #samples = 0;
  #loss = 0;
  #accuracy = 0;

  add(samples: number, loss: number, accuracy: number): void {
    this.#samples += samples;
    this.#loss += samples * loss;
    this.#accuracy += samples * accuracy;
  }

  /** NaN where there was no batch. */
  take(): { loss: number; accuracy: number } {
    const means = { loss: this.#loss / this.#samples, accuracy: this.#accuracy / this.#samples };
    this.#samples = this.#loss = this.#accuracy = 0;
    return means;
  }
}

/**
 * Mean loss of about the last epoch's batches: an exponential moving average whose memory is as long as an epoch, and the plain mean
 * in the first. The loss of a few batches between two readings scatters too much to tell a broken network by.
 */
export class RecentLoss {
  #epochLength = Number.POSITIVE_INFINITY;
  #batches = 0;
  #batchesBefore = 0;
  #mean: number | undefined;

  add(loss: number): void {
    this.#batches++;
    const before = this.#mean ?? loss;
    this.#mean = before + (loss - before) / Math.min(this.#batches, this.#epochLength);
  }

  endEpoch(): void {
    this.#epochLength = Math.max(1, this.#batches - this.#batchesBefore);
    this.#batchesBefore = this.#batches;
    if (Number.isNaN(this.#mean)) {
      this.#mean = undefined; // or it would be so for ever
    }
  }

  /** Undefined before the first batch. */
  get mean(): number | undefined {
    return this.#mean;
  }
}
