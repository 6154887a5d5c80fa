/** The recipe of docs/chart.md for tfjs-vis, as its test bundles it. */
declare module 'recipe' {
  export function train(model: unknown, x: unknown, y: unknown): Promise<void>;
}
