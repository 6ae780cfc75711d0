/**
 * The grid of tiles.
 *
 * @module
 */
import type { LaneView, PictureMessage, TileRequest } from "../protocol.ts";
import type { Connection } from "./connection.ts";
import { element } from "./dom.ts";
import { bestGrid } from "./layout.ts";
import { Tile } from "./tile.ts";

const GAP = 6;
const CAPTION = 34;
const SMALLEST = 200;

/** Shows some lanes and keeps them live. */
export class Wall {
  readonly root: HTMLElement;
  readonly tiles = new Map<string, Tile>();
  readonly #connection: Connection;
  readonly #bySlot = new Map<number, Tile>();
  readonly #visible = new Set<string>();
  readonly #ready = new Set<Tile>();
  readonly #observer: IntersectionObserver;
  #nextSlot = 0;
  #frame = 0;
  #watched = "";
  overlay = true;

  constructor(root: HTMLElement, connection: Connection) {
    this.root = root;
    this.#connection = connection;
    this.#observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const lane = (target as HTMLElement).dataset["lane"]!;
        if (isIntersecting) this.#visible.add(lane);
        else this.#visible.delete(lane);
      }
      this.watch();
    }, { rootMargin: "120px" });
    new ResizeObserver(() => this.layout()).observe(root);
    document.addEventListener("visibilitychange", () => this.watch());
  }

  /** Shows these lanes in this order. */
  show(lanes: readonly LaneView[], now: number): void {
    const wanted = new Set(lanes.map((lane) => lane.id));
    for (const [id, tile] of this.tiles) {
      if (wanted.has(id)) continue;
      this.#observer.unobserve(tile.root);
      tile.root.remove();
      this.tiles.delete(id);
      this.#bySlot.delete(tile.slot);
      this.#visible.delete(id);
    }
    const order: Tile[] = [];
    for (const lane of lanes) {
      let tile = this.tiles.get(lane.id);
      if (tile === undefined) {
        tile = new Tile(this.#freeSlot(), lane, {
          onDone: (slot, sequence) => {
            this.#connection.drawn(slot, sequence);
            this.#schedule();
          },
          onReady: (ready) => {
            this.#ready.add(ready);
            this.#schedule();
          },
        });
        this.tiles.set(lane.id, tile);
        this.#bySlot.set(tile.slot, tile);
        this.#observer.observe(tile.root);
      }
      tile.update(lane, now);
      order.push(tile);
    }
    order.forEach((tile, index) => {
      if (this.root.children[index] !== tile.root) {
        this.root.insertBefore(tile.root, this.root.children[index] ?? null);
      }
    });
    this.layout();
    this.watch();
  }

  /** Takes a picture from the connection. */
  take(picture: PictureMessage): void {
    const tile = this.#bySlot.get(picture.slot);
    if (tile === undefined) this.#connection.drawn(picture.slot, picture.sequence);
    else tile.take(picture);
  }

  /** Fits the grid into the window. */
  layout(): void {
    const style = getComputedStyle(this.root);
    const aspects = [...this.tiles.values()].map((tile) => tile.aspect ?? 16 / 9).sort();
    const grid = bestGrid({
      count: this.tiles.size,
      width: this.root.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight),
      height: this.root.clientHeight - parseFloat(style.paddingTop) -
        parseFloat(style.paddingBottom),
      aspect: aspects[aspects.length >> 1] ?? 16 / 9,
      gap: GAP,
      caption: CAPTION,
      smallest: SMALLEST,
    });
    this.root.style.setProperty("--columns", String(grid.columns));
    this.root.style.setProperty("--row", grid.fits ? "minmax(0, 1fr)" : `${grid.rowHeight}px`);
    this.root.classList.toggle("scrolls", !grid.fits);
    this.watch();
  }

  /** Tells the server which tiles are really on the screen, and how large. */
  watch(): void {
    const tiles: TileRequest[] = [];
    if (document.visibilityState === "visible") {
      for (const [lane, tile] of this.tiles) {
        if (this.#visible.has(lane)) tiles.push({ slot: tile.slot, lane, width: tile.width });
      }
    }
    const watched = JSON.stringify(tiles);
    if (watched === this.#watched) return;
    this.#watched = watched;
    this.#connection.watch(tiles);
  }

  /** Says that there is nothing to show. */
  empty(message: string): void {
    const known = this.root.querySelector(".empty");
    if (message === "") known?.remove();
    else if (known === null) this.root.append(element("p", { class: "empty" }, message));
  }

  #freeSlot(): number {
    do this.#nextSlot = (this.#nextSlot + 1) & 0xffff; while (this.#bySlot.has(this.#nextSlot));
    return this.#nextSlot;
  }

  #schedule(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      for (const tile of this.#ready) tile.draw(this.overlay);
      this.#ready.clear();
      this.#connection.flush();
    });
  }
}
