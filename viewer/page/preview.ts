// The preview above the track: the picture recorded at the pointer's position.
import { find, set, text } from "./dom.ts";
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
    this.#wanted = { lane, time: moment };
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
      const address = await loadFrame(lane, time, WIDTH);
      set(this.#image, { src: address });
    }
    this.#loading = false;
  }
}

/** The address of a recorded picture, which the browser has loaded; undefined if there is none. */
export async function loadFrame(
  lane: string,
  time: number,
  width: number,
): Promise<string | undefined> {
  const image = new Image();
  const query = new URLSearchParams({ lane, time: `${Math.round(time)}`, width: `${width}` });
  image.src = `/api/frame?${query}`;
  return await image.decode().then(() => image.src, () => undefined);
}
