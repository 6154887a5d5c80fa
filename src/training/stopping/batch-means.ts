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
