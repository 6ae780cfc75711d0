// How the page looks: light or dark, with numbers or without, on the whole screen. The browser remembers
// the first two.
import { iconButton, set } from "./dom.ts";

const THEME_KEY = "framelane-theme";
const DETAIL_KEY = "framelane-detail";

/** Shows what was chosen last; the theme is the system's until the user chooses. */
export function startLooks(): void {
  const system = matchMedia("(prefers-color-scheme: light)");
  const apply = () => {
    const theme = localStorage.getItem(THEME_KEY);
    const chosen = theme === "light" || theme === "dark" ? theme : undefined;
    document.documentElement.dataset["theme"] = chosen ?? (system.matches ? "light" : "dark");
  };
  system.addEventListener("change", apply);
  apply();
  showDetail();
}

/** Changes between light and dark. */
export function toggleTheme(): void {
  const next = document.documentElement.dataset["theme"] === "light" ? "dark" : "light";
  document.documentElement.dataset["theme"] = next;
  localStorage.setItem(THEME_KEY, next);
}

/** Whether the page shows numbers and charts, the engineer's view; the operator's does without. */
export function showsNumbers(): boolean {
  return localStorage.getItem(DETAIL_KEY) !== "operator";
}

/** The other view; `then` draws what depends on it. */
export function toggleDetail(then: () => void): void {
  localStorage.setItem(DETAIL_KEY, showsNumbers() ? "operator" : "engineer");
  showDetail();
  then();
}

function showDetail(): void {
  document.body.classList.toggle("operator", !showsNumbers());
}

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
