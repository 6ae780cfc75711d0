/**
 * One lane on the wall: its picture, what was found in it, its state and its numbers.
 *
 * @module
 */
import { cameraText, cameraTitle, type LaneView, type PictureMessage } from "../protocol.ts";
import { drawLine, type Series } from "./chart.ts";
import { type Condition, conditionOf, noticeOf } from "./condition.ts";
import { element, iconButton, set, text } from "./dom.ts";
import { count, duration, rate, span } from "./format.ts";
import { ResultOverlay } from "./result_overlay.ts";

/** What a tile tells the page. */
export interface TileEvents {
  /** A picture was drawn, or will never be. */
  readonly onDone: (slot: number, sequence: number) => void;
  /** A decoded picture waits for the next animation frame. */
  readonly onReady: (tile: Tile) => void;
  /** It shall fill the wall, or go back. */
  readonly onFocus: () => void;
  /** Another tile was dropped here: it belongs before or after this one. */
  readonly onMove: (moved: string, after: boolean) => void;
  readonly onSelect: () => void;
}

/** A lane that is further behind than this is worth a look. */
const HIGH_LATENCY_MS = 2_000;

/** A picture that was captured so long ago is not of now, milliseconds. */
const OLD_MS = 5_000;

/** What is dragged from tile to tile. */
const DRAGGED = "application/x-framelane-lane";

/** Shows one lane. */
export class Tile {
  readonly slot: number;
  readonly laneId: string;
  readonly root: HTMLElement;
  lane: LaneView;
  /** Offset and capture time of the picture on the screen. */
  shown: { offset: number; timestamp: number } | undefined;
  /** Width by height of the source. */
  aspect: number | undefined;
  readonly #events: TileEvents;
  readonly #canvas = element("canvas", { class: "screen" });
  readonly #overlay = new ResultOverlay();
  readonly #age = element("span", { class: "age", title: "Age of the picture" });
  readonly #notice = element("div", { class: "notice" });
  readonly #state = element("span", { class: "state", role: "img" });
  readonly #camera = element("span", { class: "camera" });
  readonly #number = element("span", { class: "camera-number" });
  readonly #query = element("span", { class: "query" });
  readonly #spark = element("canvas", { class: "spark", "aria-hidden": "true" });
  readonly #rate = element("b");
  readonly #latency = element("b");
  readonly #lag = element("b");
  readonly #topic = element("span", { class: "topic" });
  readonly #expand: HTMLButtonElement;
  readonly #caption: HTMLElement;
  #decoding = false;
  #closed = false;
  #drawnAt = 0;
  #source = { width: 0, height: 0 };
  #next: PictureMessage | undefined;
  #ready: { bitmap: ImageBitmap; picture: PictureMessage } | undefined;

  constructor(slot: number, lane: LaneView, events: TileEvents) {
    this.slot = slot;
    this.laneId = lane.id;
    this.lane = lane;
    this.#events = events;
    this.#expand = iconButton("expand", "Show alone", () => events.onFocus());
    this.#expand.tabIndex = -1;
    this.#caption = element(
      "footer",
      { class: "caption", draggable: "true" },
      this.#state,
      this.#camera,
      this.#number,
      this.#query,
      this.#topic,
      this.#spark,
      element(
        "span",
        { class: "number rate", title: "Frames per second" },
        this.#rate,
        element("i", {}, " fps"),
      ),
      element(
        "span",
        { class: "number latency", title: "From capture to here, median" },
        this.#latency,
      ),
      element("span", { class: "number lag", title: "Frames not read yet" }, "lag ", this.#lag),
    );
    this.root = element(
      "article",
      { class: "tile", tabindex: -1, role: "listitem", "data-lane": lane.id },
      element(
        "div",
        { class: "picture" },
        this.#canvas,
        this.#overlay.boxes,
        this.#overlay.scores,
        this.#age,
        this.#notice,
        this.#expand,
      ),
      this.#caption,
    );
    this.#listen();
    this.update(lane, 0);
  }

  /** Width of the picture in device pixels. */
  get width(): number {
    return Math.round(this.#canvas.clientWidth * Math.min(devicePixelRatio, 2));
  }

  /** Takes a new picture; the one that was to be decoded next is overtaken. */
  take(picture: PictureMessage): void {
    if (this.#next !== undefined) this.#events.onDone(this.slot, this.#next.sequence);
    this.#next = picture;
    if (!this.#decoding) void this.#decode();
  }

  /**
   * Puts the decoded picture on the screen. Called in an animation frame.
   *
   * @returns true when there was one of the moment that is being looked at.
   */
  draw(overlay: boolean, accepts: (picture: PictureMessage) => boolean): boolean {
    const ready = this.#ready;
    if (ready === undefined) return false;
    this.#ready = undefined;
    const { bitmap, picture } = ready;
    if (!accepts(picture)) {
      bitmap.close();
      this.#events.onDone(this.slot, picture.sequence);
      return false;
    }
    this.aspect = bitmap.width / bitmap.height;
    if (this.#canvas.width !== bitmap.width || this.#canvas.height !== bitmap.height) {
      this.#canvas.width = bitmap.width;
      this.#canvas.height = bitmap.height;
    }
    this.#canvas.getContext("bitmaprenderer")?.transferFromImageBitmap(bitmap);
    this.#drawnAt = Date.now();
    this.#source = { width: picture.sourceWidth, height: picture.sourceHeight };
    this.shown = { offset: picture.offset, timestamp: picture.timestamp };
    this.root.dataset["offset"] = String(picture.offset);
    this.root.classList.toggle("alerting", this.#overlay.draw(picture, overlay, this.#canvas));
    this.#events.onDone(this.slot, picture.sequence);
    return true;
  }

  /** Size of the source picture, for people. */
  get size(): string {
    return this.#source.width === 0 ? "–" : `${this.#source.width} × ${this.#source.height}`;
  }

  /** From capture to the screen, milliseconds; `skew` is the server's clock minus this browser's. */
  ageMs(skew: number): number | undefined {
    if (this.shown === undefined) return undefined;
    return Math.max(0, this.#drawnAt + skew - this.shown.timestamp);
  }

  /** Marks the tile as the one that fills the wall. */
  setFocused(focused: boolean): void {
    if (this.root.classList.contains("alone") === focused) return;
    this.root.classList.toggle("alone", focused);
    set(this.root, { role: focused ? "group" : "listitem" });
    const label = focused ? "Back to the wall" : "Show alone";
    set(this.#expand, { "aria-label": `${label}: ${cameraText(this.lane)}`, title: label });
  }

  /** Releases decoded pictures. */
  close(): void {
    this.#closed = true;
    this.#ready?.bitmap.close();
    this.#ready = undefined;
  }

  /** Takes the lane's newest state. `now` is the server's clock. */
  update(lane: LaneView, now: number): void {
    this.lane = lane;
    const condition = conditionOf(lane);
    if (this.root.dataset["condition"] !== condition) {
      this.root.dataset["condition"] = condition;
      set(this.#state, { "aria-label": condition, title: condition });
    }
    const { title, number } = cameraTitle(lane);
    text(this.#camera, title);
    text(this.#number, number);
    text(this.#query, lane.query === "raw" ? "" : lane.query);
    text(this.#topic, lane.query === "raw" ? lane.topic : "");
    text(this.#rate, rate(lane.framesPerSecondOut));
    text(this.#latency, lane.latencyP50Ms === undefined ? "–" : duration(lane.latencyP50Ms));
    text(this.#lag, count(lane.lagFrames));
    this.#latency.classList.toggle("high", (lane.latencyP50Ms ?? 0) > HIGH_LATENCY_MS);
    this.#lag.classList.toggle("high", lane.lagFrames > Math.max(50, 3 * lane.framesPerSecondIn));
    this.#drawAge(condition, now);
    this.#notice.hidden = condition === "live";
    if (condition !== "live") this.#drawNotice(now);
    set(this.root, { "aria-label": this.#description(condition) });
  }

  /** Draws the small chart: of frames per second. */
  drawSpark(rates: Series, color: string): void {
    drawLine(this.#spark, rates, { color });
  }

  async #decode(): Promise<void> {
    this.#decoding = true;
    while (this.#next !== undefined) {
      const picture = this.#next;
      this.#next = undefined;
      let bitmap: ImageBitmap;
      try {
        const image = picture.image as Uint8Array<ArrayBuffer>;
        bitmap = await createImageBitmap(new Blob([image], { type: picture.contentType }));
      } catch {
        this.#events.onDone(this.slot, picture.sequence); // no picture: the next one may be
        continue;
      }
      if (this.#closed) {
        bitmap.close();
        break;
      }
      if (this.#ready !== undefined) {
        this.#ready.bitmap.close();
        this.#events.onDone(this.slot, this.#ready.picture.sequence);
      }
      this.#ready = { bitmap, picture };
      this.#events.onReady(this);
    }
    this.#decoding = false;
  }

  #listen(): void {
    const { root } = this;
    const events = this.#events;
    root.addEventListener("click", (event) => {
      const button = event.target instanceof Element && event.target.closest("button") !== null;
      if (!button && !root.classList.contains("alone")) events.onFocus();
    });
    root.addEventListener("focus", () => events.onSelect());
    root.addEventListener("pointerdown", () => events.onSelect());
    this.#caption.addEventListener("dragstart", (event) => {
      event.dataTransfer?.setData(DRAGGED, this.laneId);
      if (event.dataTransfer !== null) event.dataTransfer.effectAllowed = "move";
      root.classList.add("dragged");
    });
    this.#caption.addEventListener("dragend", () => root.classList.remove("dragged"));
    const isAfter = (event: DragEvent) => {
      const { left, width } = root.getBoundingClientRect();
      return event.clientX > left + width / 2;
    };
    const clear = () => root.classList.remove("drop-before", "drop-after");
    root.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes(DRAGGED)) return;
      event.preventDefault();
      const after = isAfter(event);
      root.classList.toggle("drop-after", after);
      root.classList.toggle("drop-before", !after);
    });
    root.addEventListener("dragleave", clear);
    root.addEventListener("drop", (event) => {
      clear();
      const moved = event.dataTransfer?.getData(DRAGGED) ?? "";
      if (moved === "" || moved === this.laneId) return;
      event.preventDefault();
      events.onMove(moved, isAfter(event));
    });
  }

  /** How old the picture is: always where it is not live, and where it lags behind the camera. */
  #drawAge(condition: Condition, now: number): void {
    const age = this.shown === undefined || now === 0 ? 0 : now - this.shown.timestamp;
    const old = age > OLD_MS;
    this.#age.hidden = this.shown === undefined || !(old || condition !== "live");
    if (!this.#age.hidden) text(this.#age, `${span(Math.max(0, age))} old`);
    this.root.classList.toggle("old", old);
  }

  #drawNotice(now: number): void {
    const { title, detail } = noticeOf(this.lane, now);
    if (this.#notice.childElementCount === 0) {
      this.#notice.append(element("strong"), element("span"));
    }
    text(this.#notice.children[0]!, title);
    text(this.#notice.children[1]!, detail);
  }

  #description(condition: Condition): string {
    const { lane } = this;
    const numbers = `${rate(lane.framesPerSecondOut)} frames per second, lag ${lane.lagFrames}`;
    return `${cameraText(lane)}, ${lane.query}, ${condition}, ${numbers}`;
  }
}
