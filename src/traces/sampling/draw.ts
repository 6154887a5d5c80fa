/** What was drawn from a list of items, each with the probability at which it is drawn. */
export interface Draw {
  /** Items drawn, ascending. */
  readonly indices: readonly number[];
  /** pi of each drawn item, above 0; 1 where the item is certain. */
  readonly inclusion: readonly number[];
}
