// Display options: numbers and full screen. The browser remembers the first one.
import { set } from "./dom.ts";

const DETAIL_KEY = "framelane-detail";

/** Whether the page shows numbers and charts (engineer's view) or not (operator's view). */
export function showsNumbers(): boolean {
  return localStorage.getItem(DETAIL_KEY) !== "operator";
}

export function toggleNumbers(): void {
  localStorage.setItem(DETAIL_KEY, showsNumbers() ? "operator" : "engineer");
}

export function toggleFullScreen(): void {
  if (!document.fullscreenEnabled) return; // phones, and frames of other pages
  void (document.fullscreenElement === null
    ? document.documentElement.requestFullscreen()
    : document.exitFullscreen());
}

/** Shows on a button whether the page fills the screen; hides it if the browser does not allow that. */
export function showFullScreen(button: HTMLElement): void {
  const show = () => set(button, { "aria-pressed": String(document.fullscreenElement !== null) });
  // Full screen can also be left with Esc or a browser shortcut.
  document.addEventListener("fullscreenchange", show);
  button.hidden = !document.fullscreenEnabled;
  show();
}
