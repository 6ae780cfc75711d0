/**
 * Light or dark: as the system is, until the user chooses.
 *
 * @module
 */

const KEY = "framelane-theme";

/** Sets the theme that was chosen before. */
export function startTheme(): void {
  const system = matchMedia("(prefers-color-scheme: light)");
  const apply = () => {
    document.documentElement.dataset["theme"] = chosen() ?? (system.matches ? "light" : "dark");
  };
  system.addEventListener("change", apply);
  apply();
}

/** Changes between light and dark. */
export function toggleTheme(): void {
  const next = document.documentElement.dataset["theme"] === "light" ? "dark" : "light";
  document.documentElement.dataset["theme"] = next;
  localStorage.setItem(KEY, next);
}

function chosen(): string | undefined {
  const theme = localStorage.getItem(KEY);
  return theme === "light" || theme === "dark" ? theme : undefined;
}
