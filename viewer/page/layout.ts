// Places the tiles: rows of pictures side by side, each in its aspect ratio, without bars or holes. Pure
// functions, for tests.
/** The available space and the pictures, in CSS pixels. */
export interface Space {
  /** Width divided by height of each picture, in order. */
  readonly aspects: readonly number[];
  readonly width: number;
  readonly height: number;
  /** Pictures per row; 0 for the best fit. */
  readonly columns?: number;
}

/** Size of a tile, including caption and border. */
export interface Cell {
  readonly width: number;
  readonly height: number;
}

/** Tiles in rows of equal width. */
export interface Layout {
  readonly cells: readonly Cell[];
  readonly rows: readonly number[];
  readonly width: number;
  /** False if the rows exceed the height, so that the wall scrolls. */
  readonly fits: boolean;
  /** Width of the smallest picture if it were 16:9, since a portrait picture is narrow yet large. */
  readonly smallest: number;
  /** Captions overlay the pictures. */
  readonly dense: boolean;
}

/**
 * Space between tiles, height of the caption below each picture, and the minimum width of pictures, below
 * which the wall scrolls. With many cameras, captions overlay the pictures.
 */
const USUAL = { gap: 6, caption: 32, smallest: 200 };
const DENSE = { gap: 2, caption: 0, smallest: 140 };
export const BORDER = 1;
/** Below this width, dense is preferred if pictures grow by this factor. */
const SMALL = 240;
const WORTH = 1.15;
/** Narrower windows are phones: they scroll, with two columns if there are many cameras. */
const DENSE_FROM = 700;
const COLUMNS_ON_PHONE = 2;
/** Maximum ratio between the tallest and the lowest row. */
const UNEVEN = 2.1;

/**
 * Lays out a wall: with captions below the pictures, or dense if they would not fit otherwise, or are small
 * and would grow.
 */
export function layOut(space: Space): Layout {
  const phone = space.width < DENSE_FROM;
  const column = Math.floor((space.width - USUAL.gap) / COLUMNS_ON_PHONE) - 2 * BORDER;
  const smallest = phone ? Math.min(USUAL.smallest, column) : USUAL.smallest;
  const best = bestRows({ ...space, ...USUAL, smallest });
  const asked = (space.columns ?? 0) > 0;
  if (!phone && !asked && (!best.fits || best.smallest < SMALL)) {
    const dense = bestRows({ ...space, ...DENSE });
    const gains = dense.smallest >= best.smallest * WORTH;
    if (dense.fits && (!best.fits || gains)) return { ...dense, dense: true };
  }
  return best;
}

/** The rows with the largest pictures. */
function bestRows(space: Space & typeof USUAL): Layout {
  const { aspects, columns = 0 } = space;
  if (columns > 0) return fill(space, chunks(aspects.length, columns), true);
  let best: Layout | undefined;
  let largest = 0;
  for (let count = 1; count <= aspects.length; count++) {
    const layout = fill(space, split(aspects, count), false);
    const heights = layout.cells.map(({ height }) => height);
    if (layout.width < 1 || Math.max(...heights) > UNEVEN * Math.min(...heights)) continue;
    const area = layout.cells.reduce(
      (sum, { width, height }) => sum + width * (height - space.caption),
      0,
    );
    if (area > largest) [best, largest] = [layout, area];
  }
  const { smallest, width, gap } = space;
  if (best !== undefined && best.smallest >= Math.min(smallest, width - 2 * BORDER)) return best;
  const most = Math.floor((width + gap) / (smallest + gap + 2 * BORDER));
  return fill(space, chunks(aspects.length, Math.max(1, most)), true);
}

/**
 * Sizes the tiles of the given rows to the full width, or less if they would be too tall and must not scroll.
 * With scrolling, a shorter last row is no taller than the rows before it.
 */
function fill(
  space: Space & typeof USUAL,
  rows: readonly number[],
  scrolling: boolean,
): Layout {
  const { aspects, gap, caption } = space;
  let start = 0;
  const groups = rows.map((count) => aspects.slice(start, start += count));
  const sums = groups.map((group) => group.reduce((sum, aspect) => sum + aspect, 0));
  const around = groups.map(({ length }) => gap * (length - 1) + 2 * BORDER * length);
  // The total height is linear in the width.
  const slope = sums.reduce((total, sum) => total + 1 / sum, 0);
  const fixed = rows.length * (caption + 2 * BORDER) + gap * (rows.length - 1) -
    sums.reduce((total, sum, row) => total + around[row]! / sum, 0);
  const fitting = Math.floor((space.height - fixed) / slope);
  const scrolls = scrolling && fitting < space.width;
  const width = scrolls ? space.width : Math.min(space.width, fitting);
  const heights = sums.map((sum, row) => (width - around[row]!) / sum);
  const last = rows.length - 1;
  if (scrolling && last > 0 && rows[last]! < rows[0]!) {
    heights[last] = Math.min(heights[last]!, Math.min(...heights.slice(0, last)));
  }
  const cells = groups.flatMap((group, row) =>
    group.map((aspect) => ({
      width: Math.floor(aspect * heights[row]!) + 2 * BORDER,
      height: Math.round(heights[row]!) + caption + 2 * BORDER,
    }))
  );
  const smallest = Math.min(...heights) * (16 / 9);
  return { cells, rows, width, fits: !scrolls, smallest, dense: false };
}

/** Splits the pictures into rows of similar width, in order. */
function split(aspects: readonly number[], count: number): number[] {
  const total = aspects.reduce((sum, aspect) => sum + aspect, 0);
  const rows = new Array<number>(count).fill(0);
  let before = 0;
  for (const aspect of aspects) {
    const middle = (before + aspect / 2) / total;
    const row = Math.min(count - 1, Math.floor(middle * count));
    rows[row]!++;
    before += aspect;
  }
  return rows.filter((length) => length > 0);
}

function chunks(count: number, columns: number): number[] {
  const rows = new Array<number>(Math.floor(count / columns)).fill(columns);
  return count % columns === 0 ? rows : [...rows, count % columns];
}
