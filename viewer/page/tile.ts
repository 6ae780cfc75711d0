// One lane on the wall: picture, results, condition and metrics.
import type { Findings } from "../../runtime/definition/places.ts";
import { cameraText, cameraTitle, type LaneView, type PictureMessage } from "../protocol.ts";
import { type Condition, conditionOf, noticeOf } from "./condition.ts";
import { listenForDrag } from "./drag.ts";
import { copyOf, find, set, text } from "./dom.ts";
import { count, duration, known, rate, recent, span } from "./format.ts";
import { ResultOverlay } from "./result_overlay.ts";
import { CAN_DECODE, UnitDecoder } from "./unit_decoder.ts";

export interface TileEvents {
  /** A picture was drawn or discarded. */
  readonly onDone: (sequence: number) => void;
  /** A decoded picture is ready for the next animation frame. */
  readonly onReady: (tile: Tile) => void;
  /** The tile was chosen to fill the wall, or to return to it. */
  readonly onFocus: () => void;
  /** Another tile was dropped here, to be placed before or after this one. */
  readonly onMove: (moved: string, after: boolean) => void;
  readonly onSelect: () => void;
  /** The tile cannot decode access units: it needs pictures. */
  readonly onNoVideo: () => void;
}

/** Number of results kept until their access units are shown. */
const KEPT_RESULTS = 64;

/** Latency above this is highlighted. */
const HIGH_LATENCY_MS = 2_000;

/** A picture older than this is marked, milliseconds. */
const OLD_MS = 5_000;

export class Tile {
  readonly laneId: string;
  readonly root = copyOf("tile");
  lane: LaneView;
  /** Offset and capture time of the displayed picture. */
  shown: { offset: number; timestamp: number } | undefined;
  /** Width divided by height of the source. */
  aspect: number | undefined;
  readonly #events: TileEvents;
  readonly #canvas = find(this.root, ".screen", HTMLCanvasElement);
  readonly #overlay = new ResultOverlay(this.root);
  readonly #age = find(this.root, ".age", HTMLElement);
  readonly #origin = find(this.root, ".origin", HTMLElement);
  readonly #notice = find(this.root, ".notice", HTMLElement);
  readonly #state = find(this.root, ".state", HTMLElement);
  readonly #expand = find(this.root, ".icon-button", HTMLElement);
  readonly #results = new Map<number, Findings>();
  #units: UnitDecoder | undefined;
  /** Whether the page decodes this lane's access units while it fills the wall. */
  video = CAN_DECODE;
  #decoding = false;
  #closed = false;
  #drawnAt = 0;
  #source = { width: 0, height: 0 };
  /** The newest picture cannot be decoded here. */
  #unreadable = false;
  #next: PictureMessage | undefined;
  #ready: { bitmap: ImageBitmap; picture: PictureMessage } | undefined;

  constructor(lane: LaneView, events: TileEvents) {
    this.laneId = lane.id;
    this.lane = lane;
    this.#events = events;
    this.root.dataset["lane"] = lane.id;
    this.#listen();
    this.update(lane, 0);
  }

  /** Width of the picture in device pixels. */
  get width(): number {
    return Math.round(this.#canvas.clientWidth * Math.min(devicePixelRatio, 2));
  }

  /** Sets the next picture to decode; skips the one that was waiting. */
  take(picture: PictureMessage): void {
    if (picture.unit !== undefined) return this.#takeUnit(picture);
    if (this.#next !== undefined) this.#events.onDone(this.#next.sequence);
    this.#next = picture;
    if (!this.#decoding) void this.#decode();
  }

  /**
   * Displays the decoded picture. Called in an animation frame.
   *
   * @returns whether there was one for the current position in time
   */
  draw(overlay: boolean, accepts: (picture: PictureMessage) => boolean): boolean {
    const ready = this.#ready;
    if (ready === undefined) return false;
    this.#ready = undefined;
    const { bitmap } = ready;
    if (!accepts(ready.picture)) {
      bitmap.close();
      this.#events.onDone(ready.picture.sequence);
      return false;
    }
    const picture = ready.picture.unit === undefined ? ready.picture : this.#ofUnit(ready);
    const { sourceWidth, sourceHeight } = picture;
    // Small pictures are rounded to whole pixels.
    this.aspect = sourceHeight > 0 ? sourceWidth / sourceHeight : bitmap.width / bitmap.height;
    if (this.#canvas.width !== bitmap.width || this.#canvas.height !== bitmap.height) {
      this.#canvas.width = bitmap.width;
      this.#canvas.height = bitmap.height;
    }
    this.#canvas.getContext("bitmaprenderer")?.transferFromImageBitmap(bitmap);
    this.#drawnAt = Date.now();
    this.#unreadable = false;
    this.#source = { width: picture.sourceWidth, height: picture.sourceHeight };
    this.shown = { offset: picture.offset, timestamp: picture.timestamp };
    this.root.dataset["offset"] = String(picture.offset);
    this.#origin.hidden = picture.source === undefined;
    this.root.classList.toggle("grey", picture.source?.grey === true);
    this.#text(".clock", recent(picture.timestamp));
    const alerting = this.#overlay.draw(picture, overlay, this.#canvas, this.lane.places);
    this.root.classList.toggle("alerting", alerting);
    this.#events.onDone(picture.sequence);
    return true;
  }

  /** Stores the results of an access unit. */
  found(offset: number, result: Findings): void {
    this.#results.set(offset, result);
    if (this.#results.size > KEPT_RESULTS) this.#results.delete(this.#results.keys().next().value!);
  }

  /** Size of the source picture, as text. */
  get size(): string {
    return this.#source.width === 0 ? "–" : `${this.#source.width} × ${this.#source.height}`;
  }

  /** Latency from capture to screen, milliseconds; `skew` is the server's clock minus this browser's. */
  ageMs(skew: number): number | undefined {
    if (this.shown === undefined) return undefined;
    return Math.max(0, this.#drawnAt + skew - this.shown.timestamp);
  }

  setFocused(focused: boolean): void {
    if (this.root.classList.contains("alone") === focused) return;
    if (!focused) this.#endUnits();
    this.root.classList.toggle("alone", focused);
    set(this.root, { role: focused ? "group" : "listitem" });
    set(this.#expand, { title: focused ? "Back to the wall" : "Show alone" });
  }

  close(): void {
    this.#closed = true;
    this.#endUnits();
    this.#ready?.bitmap.close();
    this.#ready = undefined;
  }

  /** Updates the lane's state. `now` is the server's clock. */
  update(lane: LaneView, now: number): void {
    this.lane = lane;
    const condition = conditionOf(lane);
    if (this.root.dataset["condition"] !== condition) {
      this.root.dataset["condition"] = condition;
      set(this.#state, { title: condition });
    }
    const { title, number } = cameraTitle(lane);
    set(this.#text(".camera", title), { title });
    this.#text(".camera-number", number);
    this.#text(".query", lane.query === "raw" ? "" : lane.query);
    this.#text(".topic", lane.query === "raw" ? lane.topic : "");
    this.#text(".rate b", rate(lane.framesPerSecondOut));
    const latency = this.#text(".latency b", known(duration, lane.latencyP50Ms));
    const lag = this.#text(".lag b", count(lane.lagFrames));
    this.#text(".lag i", lane.lagFrames === 1 ? " frame" : " frames");
    latency.classList.toggle("high", (lane.latencyP50Ms ?? 0) > HIGH_LATENCY_MS);
    lag.classList.toggle("high", lane.lagFrames > Math.max(50, 3 * lane.framesPerSecondIn));
    this.#drawAge(condition, now);
    const { title: problem, detail } = condition === "live" && this.#unreadable
      ? { title: "This browser cannot show the picture", detail: "" }
      : noticeOf(lane, now);
    this.#notice.hidden = problem === "";
    text(this.#notice.children[0]!, problem);
    text(this.#notice.children[1]!, detail);
    set(this.root, { "aria-label": this.#description(condition) });
  }

  #text(selector: string, value: string): HTMLElement {
    const node = find(this.root, selector, HTMLElement);
    text(node, value);
    return node;
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
        this.#unreadable = true; // the next one may be readable
        this.#events.onDone(picture.sequence);
        continue;
      }
      if (this.#closed) {
        bitmap.close();
        break;
      }
      this.#offer(picture, bitmap);
    }
    this.#decoding = false;
  }

  #offer(picture: PictureMessage, bitmap: ImageBitmap): void {
    if (this.#ready !== undefined) {
      this.#ready.bitmap.close();
      this.#events.onDone(this.#ready.picture.sequence);
    }
    this.#ready = { bitmap, picture };
    this.#events.onReady(this);
  }

  /** Adds what an access unit's message lacks: its size, and results that arrived later. */
  #ofUnit({ picture, bitmap }: { bitmap: ImageBitmap; picture: PictureMessage }): PictureMessage {
    const known = [...this.#results].findLast(([offset]) => offset <= picture.offset);
    const result = picture.result ?? known?.[1];
    return {
      ...picture,
      sourceWidth: bitmap.width,
      sourceHeight: bitmap.height,
      ...(result === undefined ? {} : { result }),
    };
  }

  #takeUnit(picture: PictureMessage): void {
    if (!this.video) return this.#events.onDone(picture.sequence);
    this.#units ??= new UnitDecoder({
      onPicture: (shown, bitmap) => this.#offer(shown, bitmap),
      onHidden: ({ sequence }) => this.#events.onDone(sequence),
      onProblem: () => {
        this.#endUnits();
        this.video = false;
        this.#events.onNoVideo();
      },
    });
    this.#units.take(picture);
  }

  #endUnits(): void {
    const last = this.#units?.close();
    // The server waits for confirmations.
    if (last !== undefined) this.#events.onDone(last);
    this.#units = undefined;
    this.#results.clear();
  }

  #listen(): void {
    const { root } = this;
    const events = this.#events;
    root.addEventListener("click", ({ target }) => {
      const onButton = this.#expand.contains(target as Node);
      if (onButton || !root.classList.contains("alone")) events.onFocus();
    });
    root.addEventListener("focus", () => events.onSelect());
    root.addEventListener("pointerdown", () => events.onSelect());
    listenForDrag(root, find(root, ".caption", HTMLElement), this.laneId, events.onMove);
  }

  /** Shows the age of the picture if it is not live or lags behind the camera. */
  #drawAge(condition: Condition, now: number): void {
    const age = this.shown === undefined || now === 0 ? 0 : now - this.shown.timestamp;
    const old = age > OLD_MS;
    this.#age.hidden = this.shown === undefined || !(old || condition !== "live");
    if (!this.#age.hidden) text(this.#age, `${span(Math.max(0, age))} old`);
    this.root.classList.toggle("old", old);
  }

  #description(condition: Condition): string {
    const { lane } = this;
    const numbers = `${rate(lane.framesPerSecondOut)} frames per second, lag ${lane.lagFrames}`;
    return `${cameraText(lane)}, ${lane.query}, ${condition}, ${numbers}`;
  }
}
