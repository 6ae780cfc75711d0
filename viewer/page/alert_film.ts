// Plays an alert's frames in its thumbnail while it is hovered or focused.
import type { AlertView } from "../protocol.ts";
import { loadFrame } from "./preview.ts";

const WIDTH = 224;
/** Pictures per alert, whatever its length. */
const PICTURES = 16;
const EVERY_MS = 250;

/** Plays `image` while `root` is hovered or focused; afterwards it shows the original picture again. */
export function playWhilePointedAt(
  root: HTMLElement,
  image: HTMLImageElement,
  alert: () => AlertView,
): void {
  const still = image.src;
  let playing: AbortController | undefined;
  const stop = () => {
    playing?.abort();
    playing = undefined;
    if (image.src !== still) image.src = still;
  };
  const start = () => {
    if (playing !== undefined) return;
    playing = new AbortController();
    void play(image, alert(), playing.signal);
  };
  root.addEventListener("pointerenter", start);
  root.addEventListener("focus", start);
  root.addEventListener("pointerleave", stop);
  root.addEventListener("blur", stop);
}

async function play(
  image: HTMLImageElement,
  { lane, fromTime, toTime }: AlertView,
  signal: AbortSignal,
): Promise<void> {
  const step = Math.max(EVERY_MS, (toTime - fromTime) / PICTURES);
  for (let time = fromTime; !signal.aborted; time = time + step > toTime ? fromTime : time + step) {
    const next = await loadFrame(lane, time, WIDTH);
    // Once its frames are gone from the log, the thumbnail stays.
    if (signal.aborted || next === undefined) return;
    image.src = next;
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}
