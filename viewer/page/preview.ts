// The preview above the track: the picture recorded at the pointer's position.
import { find, text } from "./dom.ts";
import { momentOfFrame } from "./format.ts";

const WIDTH = 160;
/** Distance to the ends of the track, CSS pixels. */
const MARGIN = 8;

export class Preview {
  readonly root = find(document, ".hover", HTMLElement);
  readonly #image = find(this.root, "img", HTMLImageElement);
  readonly #time = find(this.root, "span", HTMLElement);
  /** The position under the pointer. */
  #wanted: { readonly lane: string; readonly time: number } | undefined;
  #loading = false;

  /** Shows a lane's picture at a capture time, above `clientX`. */
  show(lane: string, moment: number, clientX: number): void {
    const rail = this.root.parentElement!.getBoundingClientRect();
    const half = WIDTH / 2 + MARGIN;
    const x = Math.min(Math.max(clientX - rail.left, half), Math.max(half, rail.width - half));
    this.root.style.left = `${x}px`;
    this.root.hidden = false;
    text(this.#time, momentOfFrame(moment).slice(11));
    this.#wanted = { lane, time: Math.round(moment) };
    if (!this.#loading) void this.#load();
  }

  hide(): void {
    this.root.hidden = true;
    this.#wanted = undefined;
  }

  /** Loads one picture at a time, always for the latest position. */
  async #load(): Promise<void> {
    this.#loading = true;
    let loaded: { readonly time: number } | undefined;
    while (this.#wanted !== undefined && this.#wanted.time !== loaded?.time) {
      const { lane, time } = loaded = this.#wanted;
      const query = new URLSearchParams({ lane, time: String(time), width: String(WIDTH) });
      const image = new Image();
      image.src = `/api/frame?${query}`;
      try {
        await image.decode();
        this.#image.src = image.src;
      } catch {
        this.#image.removeAttribute("src"); // no recording there
      }
    }
    this.#loading = false;
  }
}
