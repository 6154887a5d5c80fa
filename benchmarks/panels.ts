/** What the charts with a panel a network share. */

/** Orange for ours, blue for the others, by the field `ours`. */
export const OURS = '#d95f02';
export const OTHERS = '#4c6a8d';
export const color = {
  field: 'ours',
  type: 'nominal',
  legend: null,
  scale: { domain: [true, false], range: [OURS, OTHERS] },
} as const;

/** A panel for each network, in the order of the values. */
export const byNetwork = (values: readonly { readonly network: string }[]) => ({
  field: 'network',
  type: 'nominal' as const,
  sort: [...new Set(values.map(({ network }) => network))],
  title: null,
  header: { labelFontSize: 13, labelFontWeight: 'bold' as const, labelAnchor: 'start' as const },
});

/** One of two kinds of points: a circle for the first, a diamond for the second. */
export const shapeOf = (field: string, kinds: readonly [string, string]) =>
  ({
    field,
    type: 'nominal',
    title: null,
    scale: { domain: [...kinds], range: ['circle', 'diamond'] },
    legend: { orient: 'top' },
  }) as const;

/** The field `label` to the right of what is at `field`. */
export const labelsAt = <Y>(field: string, y: Y, dx = 9) =>
  ({
    mark: { type: 'text', align: 'left', dx, fontSize: 10, color: '#333' },
    encoding: { y, x: { field, type: 'quantitative' }, text: { field: 'label', type: 'nominal' } },
  }) as const;
