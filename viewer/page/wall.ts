// The grid of tiles; or a single large one, with the others in a strip.
import type { Findings } from "../../runtime/definition/places.ts";
import {
  cameraTitle,
  type LaneView,
  MAX_TILES,
  type PictureMessage,
  type TileRequest,
} from "../protocol.ts";
import type { Connection } from "./connection.ts";
import { find, set, text } from "./dom.ts";
import { BORDER, layOut } from "./layout.ts";
import { Tile } from "./tile.ts";
import type { Place } from "./time_control.ts";

export interface WallEvents {
  /** A tile was chosen to fill the wall, or to return to it. */
  readonly onFocus: (lane: string) => void;
  readonly onMove: (moved: string, target: string, after: boolean) => void;
  /** Another tile leads, or the one that does has displayed a picture. */
  readonly onLead: () => void;
}

/** Height of pictures in the strip, and the minimum width with room for a name. */
const STRIP = 92;
const NARROWEST_IN_STRIP = 96;

/** Shows lanes and keeps them live. */
export class Wall {
  readonly root = find(document, "#wall", HTMLElement);
  readonly tiles = new Map<string, Tile>();
  readonly #connection: Connection;
  readonly #events: WallEvents;
  readonly #grid = find(this.root, ".grid", HTMLElement);
  readonly #stage = find(this.root, ".stage", HTMLElement);
  readonly #empty = find(this.root, ".empty", HTMLElement);
  readonly #visible = new Set<string>();
  readonly #ready = new Set<Tile>();
  readonly #observer: IntersectionObserver;
  #order: Tile[] = [];
  #focus = "";
  #selected = "";
  #columns = 0;
  #rows: readonly number[] = [];
  #frame = 0;
  #watched = "";
  overlay = true;
  /** Rejects pictures that do not belong to the current position in time. */
  accepts: (picture: PictureMessage) => boolean = () => true;

  constructor(connection: Connection, events: WallEvents) {
    this.#connection = connection;
    this.#events = events;
    this.#observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const lane = (target as HTMLElement).dataset["lane"]!;
        if (isIntersecting) this.#visible.add(lane);
        else this.#visible.delete(lane);
      }
      this.watch();
    }, { rootMargin: "80px" });
    const resized = new ResizeObserver(() => this.layout());
    resized.observe(this.root);
    resized.observe(this.#grid);
    document.addEventListener("visibilitychange", () => this.watch());
  }

  /** The tile that fills the wall, or else the last selected one, or else the first. */
  get lead(): Tile | undefined {
    return this.tiles.get(this.#focus) ?? this.tiles.get(this.#selected) ?? this.#order[0];
  }

  /** The frame that the leading tile shows; undefined before its first picture. */
  get place(): Place | undefined {
    const { lead } = this;
    return lead?.shown && { lane: lead.laneId, ...lead.shown };
  }

  /** The tile that receives keys. */
  get selected(): Tile | undefined {
    return this.tiles.get(this.#selected);
  }

  /** Shows these lanes in this order; `focus` is the lane that fills the wall, if any. */
  show(
    lanes: readonly LaneView[],
    { focus, columns, now }: { focus: string; columns: number; now: number },
  ): void {
    const wanted = new Set(lanes.map((lane) => lane.id));
    for (const [id, tile] of this.tiles) if (!wanted.has(id)) this.#remove(id, tile);
    const byTitle = Map.groupBy(lanes, (lane) => cameraTitle(lane).title);
    this.#order = lanes.map((lane) => {
      const tile = this.tiles.get(lane.id) ?? this.#add(lane);
      tile.update(lane, now);
      // Numbers distinguish cameras of the same name.
      const sameName = byTitle.get(cameraTitle(lane).title)!;
      const isOne = sameName.every(({ partition }) => partition === lane.partition);
      tile.root.classList.toggle("same-name", !isOne);
      return tile;
    });
    // Hide the query's name if all lanes have the same query.
    this.root.classList.toggle("one-query", new Set(lanes.map(({ query }) => query)).size === 1);
    this.#focus = wanted.has(focus) ? focus : "";
    this.#columns = columns;
    this.#place();
    this.#select(this.#selected);
    this.layout();
    this.watch();
  }

  take(picture: PictureMessage): void {
    const tile = this.tiles.get(picture.lane);
    // A unit outside the current position is decoded anyway: others depend on it.
    if (tile === undefined || (picture.unit === undefined && !this.accepts(picture))) {
      this.#connection.drawn(picture.lane, picture.sequence);
      this.#schedule();
    } else {
      tile.take(picture);
    }
  }

  /** Passes the results of an access unit to its tile. */
  found(lane: string, offset: number, result: Findings): void {
    this.tiles.get(lane)?.found(offset, result);
  }

  layout(): void {
    const { clientWidth, clientHeight } = this.#grid;
    const focused = this.#focus !== "";
    this.root.classList.toggle("focused", focused);
    if (focused) this.root.classList.remove("dense");
    if (focused || clientWidth === 0) {
      if (focused) this.#layOutStrip();
      return;
    }
    // Tiles that were never displayed have no aspect ratio yet.
    const known = this.#order.flatMap((tile) => tile.aspect ?? []).sort((a, b) => a - b);
    const usual = known[known.length >> 1] ?? 16 / 9;
    const { cells, rows, width, fits, dense } = layOut({
      aspects: this.#order.map(({ aspect = usual }) => aspect),
      width: clientWidth,
      height: clientHeight,
      columns: this.#columns,
    });
    this.root.classList.toggle("dense", dense);
    this.#rows = rows;
    this.#grid.style.setProperty("--rows", `${width}px`);
    this.#grid.classList.toggle("scrolls", !fits);
    this.#order.forEach(({ root }, index) => {
      root.style.width = `${cells[index]!.width}px`;
      root.style.height = `${cells[index]!.height}px`;
    });
  }

  /** Sizes the strip: tiles as wide as their pictures. */
  #layOutStrip(): void {
    for (const { root, aspect = 16 / 9, laneId } of this.#order) {
      const width = Math.max(NARROWEST_IN_STRIP, Math.round(STRIP * aspect) + 2 * BORDER);
      root.style.height = "";
      root.style.width = laneId === this.#focus ? "" : `${width}px`;
    }
  }

  /** Tells the server which tiles are visible, and their sizes. */
  watch(): void {
    const tiles: TileRequest[] = [];
    if (document.visibilityState === "visible") {
      for (const tile of this.#order) {
        const lane = tile.laneId;
        const width = tile.width;
        if (!this.#visible.has(lane) || width === 0 || tiles.length === MAX_TILES) continue;
        const video = tile.video && lane === this.#focus;
        tiles.push({ lane, width, ...(video ? { video } : {}) });
      }
    }
    const watched = JSON.stringify(tiles);
    if (watched === this.#watched) return;
    this.#watched = watched;
    this.#connection.watch(tiles);
  }

  /** Shows why the wall is empty. */
  say(message: string): void {
    text(this.#empty, message);
  }

  /** Moves the selection by columns and rows. */
  move(columns: number, rows: number): void {
    const from = Math.max(0, this.#order.findIndex((tile) => tile.laneId === this.#selected));
    const to = from + columns + (this.#focus === "" ? this.#down(from, rows) : rows);
    const tile = this.#order[Math.min(this.#order.length - 1, Math.max(0, to))];
    if (tile === undefined) return;
    if (this.#focus !== "") this.#events.onFocus(tile.laneId);
    this.#select(tile.laneId);
    tile.root.focus();
  }

  /** The lane `by` places after the selected one. */
  neighbour(by: number): string | undefined {
    const at = this.#order.findIndex((tile) => tile.laneId === this.#selected);
    return at < 0 ? undefined : this.#order[at + by]?.laneId;
  }

  /** Distance in order to the tile `by` rows below, at a similar horizontal position. */
  #down(from: number, by: number): number {
    let row = 0, start = 0;
    while (row < this.#rows.length - 1 && start + this.#rows[row]! <= from) {
      start += this.#rows[row++]!;
    }
    const to = Math.min(this.#rows.length - 1, Math.max(0, row + by));
    const begin = this.#rows.slice(0, to).reduce((sum, count) => sum + count, 0);
    const share = (from - start + 0.5) / (this.#rows[row] ?? 1);
    return begin + Math.floor(share * (this.#rows[to] ?? 1)) - from;
  }

  #select(lane: string): void {
    this.#selected = this.tiles.has(lane) ? lane : this.#order[0]?.laneId ?? "";
    for (const tile of this.#order) {
      set(tile.root, { tabindex: tile.laneId === this.#selected ? 0 : -1 });
    }
  }

  #add(lane: LaneView): Tile {
    const tile = new Tile(lane, {
      onDone: (sequence) => {
        this.#connection.drawn(lane.id, sequence);
        this.#schedule();
      },
      onReady: (ready) => {
        this.#ready.add(ready);
        this.#schedule();
      },
      onFocus: () => this.#events.onFocus(tile.laneId === this.#focus ? "" : tile.laneId),
      onMove: (moved, after) => this.#events.onMove(moved, tile.laneId, after),
      onNoVideo: () => this.watch(),
      onSelect: () => {
        this.#select(tile.laneId);
        this.#events.onLead();
      },
    });
    this.tiles.set(lane.id, tile);
    this.#observer.observe(tile.root);
    return tile;
  }

  #remove(id: string, tile: Tile): void {
    this.#observer.unobserve(tile.root);
    tile.root.remove();
    tile.close();
    this.tiles.delete(id);
    this.#visible.delete(id);
  }

  /** Places the tiles, moving only those that are elsewhere. */
  #place(): void {
    const focused = this.tiles.get(this.#focus);
    this.#stage.hidden = focused === undefined;
    const previous = this.#stage.querySelector<HTMLElement>(":scope > .tile");
    if (focused !== undefined && previous !== focused.root) {
      previous?.remove();
      this.#stage.prepend(focused.root);
    }
    let at = 0;
    for (const tile of this.#order) {
      tile.setFocused(tile === focused);
      if (tile === focused) continue;
      if (this.#grid.children[at] !== tile.root) {
        this.#grid.insertBefore(tile.root, this.#grid.children[at] ?? null);
      }
      at++;
    }
  }

  #schedule(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      let shapes = false;
      for (const tile of this.#ready) {
        const { aspect } = tile;
        if (tile.draw(this.overlay, this.accepts) && tile === this.lead) this.#events.onLead();
        shapes ||= tile.aspect !== aspect;
      }
      if (shapes) this.layout();
      this.#ready.clear();
      this.#connection.flush();
    });
  }
}
