/**
 * What optimizers and early stopping of the package warn of, they say on the console alone: a step without its penalty, or that there is
 * nothing to judge. Until the returned function is called, `tell` hears of it too. What the monitor warns of is in its `problems$`.
 */
export function hearPackageWarnings(tell: (message: string) => void): () => void {
  const { warn } = console;
  const heard = (...said: unknown[]) => {
    warn.apply(console, said);
    const message = /^tfjs-sharpness, ((?!minimumSharpness)\w+: .*)/s.exec(String(said[0]))?.[1];
    if (message !== undefined) {
      tell(message);
    }
  };
  console.warn = heard;
  return () => {
    if (console.warn === heard) {
      console.warn = warn;
    }
  };
}
