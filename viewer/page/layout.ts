/**
 * How many columns fit best. Pure arithmetic, so that tests can ask it anything.
 *
 * @module
 */

/** A grid that fills a space. */
export interface Grid {
  readonly columns: number;
  readonly rows: number;
  /** False when the rows are too many for the space: the wall scrolls then. */
  readonly fits: boolean;
  /** Height of a row in CSS pixels, where the wall scrolls. */
  readonly rowHeight: number;
  /** Width of the pictures in CSS pixels. */
  readonly pictureWidth: number;
}

/** The space and what goes into it, in CSS pixels. */
export interface Space {
  readonly count: number;
  readonly width: number;
  readonly height: number;
  /** Width by height of the pictures. */
  readonly aspect: number;
  readonly gap: number;
  /** Height of the line below each picture. */
  readonly caption: number;
  readonly smallest: number;
}

/** Where many cameras are to be seen at once, their names go over the pictures. */
const DENSE = { gap: 2, caption: 0, smallest: 140 };
/** Pictures that are narrower may be dense so that they grow, if they do by this much. */
const SMALL = 240;
const WORTH = 1.15;
/** Narrower windows are phones: there one scrolls, over two columns where there are many. */
const DENSE_FROM = 700;
const COLUMNS_ON_PHONE = 2;

/**
 * The grid of a wall: with a line below each picture, or dense: without, where they would not fit
 * otherwise, or are small and gain by it.
 */
export function wallGrid(space: Space): Grid & { readonly dense: boolean } {
  const phone = space.width < DENSE_FROM;
  const column = Math.floor((space.width - space.gap) / COLUMNS_ON_PHONE);
  const smallest = phone ? Math.min(space.smallest, column) : space.smallest;
  const grid = bestGrid({ ...space, smallest });
  if (!phone && (!grid.fits || grid.pictureWidth < SMALL)) {
    const dense = bestGrid({ ...space, ...DENSE });
    const gains = dense.pictureWidth >= grid.pictureWidth * WORTH;
    if (dense.fits && (!grid.fits || gains)) return { ...dense, dense: true };
  }
  return { ...grid, dense: false };
}

/** The grid in which pictures of that aspect come out largest. */
export function bestGrid(space: Space): Grid {
  const { count, width, height, aspect, gap, caption, smallest } = space;
  let best: Grid | undefined;
  for (let columns = 1; columns <= Math.max(1, count); columns++) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - gap * (columns - 1)) / columns;
    const cellHeight = (height - gap * (rows - 1)) / rows;
    const pictureWidth = Math.min(cellWidth, (cellHeight - caption) * aspect);
    if (pictureWidth > (best?.pictureWidth ?? 0)) {
      best = { columns, rows, fits: true, rowHeight: cellHeight, pictureWidth };
    }
  }
  if (best !== undefined && best.pictureWidth >= Math.min(smallest, width)) return best;
  const columns = Math.max(1, Math.min(count, Math.floor((width + gap) / (smallest + gap))));
  const cellWidth = (width - gap * (columns - 1)) / columns;
  return {
    columns,
    rows: Math.ceil(count / columns),
    fits: false,
    rowHeight: Math.round(cellWidth / aspect + caption),
    pictureWidth: cellWidth,
  };
}
