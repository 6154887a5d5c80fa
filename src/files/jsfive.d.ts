/** The reader of HDF5 files, which has no types of its own: what is used of it. */
declare module 'jsfive' {
  /** A group or a dataset of an HDF5 file. */
  export interface Hdf5Item {
    /** Names of what is in a group; a dataset has none. */
    readonly keys?: readonly string[];
    readonly attrs: { readonly [name: string]: unknown };
    readonly shape?: readonly number[];
    readonly value?: ArrayLike<number | bigint> | number | bigint;
    readonly dtype?: string;
    get(name: string): Hdf5Item;
  }
  export const File: new (data: ArrayBuffer, name: string) => Hdf5Item;
}
