// Display options: theme, numbers, full screen. The browser remembers the first two.
import { set } from "./dom.ts";

const THEME_KEY = "framelane-theme";
const DETAIL_KEY = "framelane-detail";

/** Applies the stored choices; by default the theme follows the system. */
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

export function toggleTheme(): void {
  const next = document.documentElement.dataset["theme"] === "light" ? "dark" : "light";
  document.documentElement.dataset["theme"] = next;
  localStorage.setItem(THEME_KEY, next);
}

/** Whether the page shows numbers and charts (engineer's view) or not (operator's view). */
export function showsNumbers(): boolean {
  return localStorage.getItem(DETAIL_KEY) !== "operator";
}

/** Switches the view; `then` redraws what depends on it. */
export function toggleDetail(then: () => void): void {
  localStorage.setItem(DETAIL_KEY, showsNumbers() ? "operator" : "engineer");
  showDetail();
  then();
}

function showDetail(): void {
  document.body.classList.toggle("operator", !showsNumbers());
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
