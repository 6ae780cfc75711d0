/**
 * The whole screen for the wall.
 *
 * @module
 */
import { iconButton, set } from "./dom.ts";

/** Fills the screen, or leaves it. */
export function toggleFullScreen(): void {
  if (!document.fullscreenEnabled) return; // phones, and frames of other pages
  void (document.fullscreenElement === null
    ? document.documentElement.requestFullscreen()
    : document.exitFullscreen());
}

/** The button for it; it is not there where the browser does not let pages fill the screen. */
export function fullScreenButton(): HTMLButtonElement {
  const button = iconButton("expand", "Full screen (F)", toggleFullScreen);
  const show = () => set(button, { "aria-pressed": String(document.fullscreenElement !== null) });
  // Esc and the browser's own key lead out of it as well.
  document.addEventListener("fullscreenchange", show);
  button.hidden = !document.fullscreenEnabled;
  show();
  return button;
}
