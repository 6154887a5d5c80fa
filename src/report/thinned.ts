/** How many of some points are drawn, and which. */
export interface Thinned<Point> {
  readonly points: readonly Point[];
  /** How many there were. */
  readonly total: number;
}

/**
 * As many points as a picture of limited width can show: where there are more, the axis is cut into `pieces` equal parts, and of each
 * part those with the least and the greatest value stay, of each kind. So do the first and the last of all.
 *
 * @param points ascending by `at`.
 * @param kindFor what must not be lost among the others, for example that a reading is not reliable.
 */
export function thinned<Point extends { readonly at: number }>(
  points: readonly Point[],
  pieces: number,
  valueFor: (point: Point) => number,
  kindFor: (point: Point) => string = () => '',
): Thinned<Point> {
  const total = points.length;
  if (total <= 2 * pieces) {
    return { points, total };
  }
  const [from, to] = [points[0]!.at, points.at(-1)!.at];
  const width = (to - from) / pieces || 1;
  const chosen = new Set<Point>([points[0]!, points.at(-1)!]);
  const ends = new Map<string, { piece: number; least: Point; greatest: Point }>();
  const keep = (kind: string) => {
    const end = ends.get(kind);
    if (end) {
      chosen.add(end.least).add(end.greatest);
    }
  };
  for (const point of points) {
    const piece = Math.min(pieces - 1, Math.floor((point.at - from) / width));
    const kind = kindFor(point);
    const end = ends.get(kind);
    if (end?.piece !== piece) {
      keep(kind);
      ends.set(kind, { piece, least: point, greatest: point });
    } else if (valueFor(point) < valueFor(end.least)) {
      end.least = point;
    } else if (valueFor(point) > valueFor(end.greatest)) {
      end.greatest = point;
    }
  }
  for (const kind of ends.keys()) {
    keep(kind);
  }
  return { points: points.filter((point) => chosen.has(point)), total };
}
