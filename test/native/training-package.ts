/** The program of a package that stands for tfjs-node, whose training does as `fit` says. */
export function trainingPackage(fit: string): string {
  return `module.exports = {
    sequential: () => ({ compile() {}, fit: async () => { ${fit} } }),
    layers: { dense() {} },
    ones() {},
    backend: () => ({ binding: { TF_Version: '2.99' }, isUsingGpuDevice: false }),
  };`;
}
