// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * Where the tiles of a call are and which layer each takes. Pure; sizes are CSS pixels.
 *
 * "solo": one other person, large, with oneself in a corner. "grid": everybody alike. "focus": one large, the others
 * in a strip.
 */

const GAP = 8;
const WIDEST = 16 / 9;
/** On an upright screen faces may be cropped to portraits. */
const NARROWEST = { upright: 5 / 8, lying: 1 };
/** What the strip beside a large tile may take of the stage. */
const STRIP_SHARE = 0.24;
const STRIP_LEAST = 96;
/** With more others than this a tile of the grid is small enough for layer l. */
const LARGE_TILES = 2;

/** @param others {number} connected or being rung @param focused {string|null} */
export function layoutOf(others, focused) {
  if (others <= 1) return "solo";
  return focused ? "focus" : "grid";
}

/**
 * The tiles' rectangles, in the order of the tiles; the last row is centred.
 * @returns {{left, top, width, height}[]}
 */
export function grid(count, width, height) {
  const best = bestColumns(count, width, height);
  const { columns, tile } = best;
  const rows = Math.ceil(count / columns);
  const free = height - rows * tile.height - (rows - 1) * GAP;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, count - row * columns);
    const used = inRow * tile.width + (inRow - 1) * GAP;
    return {
      left: (width - used) / 2 + (index % columns) * (tile.width + GAP),
      top: free / 2 + row * (tile.height + GAP),
      ...tile,
    };
  });
}

/** The large tile first, then the others in a strip: beside it on a lying stage, below it on an upright one. */
export function focus(count, width, height) {
  const lying = width >= height;
  const share = Math.max(STRIP_LEAST, (lying ? width : height) * STRIP_SHARE);
  const strip = lying ? { width: share, height } : { width, height: share };
  const large = lying
    ? { left: 0, top: 0, width: width - share - GAP, height }
    : { left: 0, top: 0, width, height: height - share - GAP };
  const left = lying ? large.width + GAP : 0;
  const top = lying ? 0 : large.height + GAP;
  const small = grid(count - 1, strip.width, strip.height);
  return [large, ...small.map((tile) => ({ ...tile, left: tile.left + left, top: tile.top + top }))];
}

/**
 * What to receive of everybody.
 * @param view {{layout, focused, shown}} `shown`: whether anybody looks at the page
 * @returns {Map<string, "h"|"l"|"off">} by user id
 */
export function layers(userIds, { layout, focused, shown }) {
  const small = layout === "focus" || userIds.length > LARGE_TILES;
  const layer = (userId) => {
    if (!shown) return "off";
    return small && userId !== focused ? "l" : "h";
  };
  return new Map(userIds.map((userId) => [userId, layer(userId)]));
}

function bestColumns(count, width, height) {
  const narrowest = width < height ? NARROWEST.upright : NARROWEST.lying;
  let best = null;
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - (columns - 1) * GAP) / columns;
    const cellHeight = (height - (rows - 1) * GAP) / rows;
    const tileWidth = Math.min(cellWidth, cellHeight * WIDEST);
    const tile = { width: tileWidth, height: Math.min(cellHeight, tileWidth / narrowest) };
    const area = tile.width * tile.height;
    if (!best || area > best.area) best = { columns, tile, area };
  }
  return best;
}
