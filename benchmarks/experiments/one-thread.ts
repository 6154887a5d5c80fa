/** Before TensorFlow is loaded: one thread adds up in one order, and leaves the other cores to others. */
export function oneThread(): void {
  for (const name of ['TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS', 'OMP_NUM_THREADS']) {
    process.env[name] = '1';
  }
}
