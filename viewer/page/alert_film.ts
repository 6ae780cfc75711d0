// Plays an alert's frames in its thumbnail while it is hovered, or focused by keyboard.
import type { AlertView } from "../protocol.ts";
import { loadFrame } from "./preview.ts";

const WIDTH = 224;
/** Pictures per alert, whatever its length. */
const PICTURES = 16;
const EVERY_MS = 250;

/** Plays `image` while `root` is hovered, or focused by keyboard; afterwards it shows the original picture again. */
export function playWhilePointedAt(
  root: HTMLElement,
  image: HTMLImageElement,
  alert: () => AlertView,
): void {
  const still = image.src;
  // Asked before each picture: an element that leaves the page is not told that the pointer left it.
  const isPointedAt = () => !document.hidden && root.matches(":hover, :focus-visible");
  let playing = false;
  const play = async () => {
    if (playing) return;
    playing = true;
    const { lane, fromTime, toTime } = alert();
    const step = Math.max(EVERY_MS, (toTime - fromTime) / PICTURES);
    for (let time = fromTime; isPointedAt(); time = time + step > toTime ? fromTime : time + step) {
      const next = await loadFrame(lane, time, WIDTH);
      // Once its frames are gone from the log, the thumbnail stays.
      if (next === undefined) break;
      image.src = next;
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    playing = false;
    if (image.src !== still) image.src = still;
  };
  root.addEventListener("pointerenter", play);
  root.addEventListener("focus", play);
}
