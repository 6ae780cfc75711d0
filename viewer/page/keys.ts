// Keyboard shortcuts.
/**
 * What keys do, by `KeyboardEvent.key` in lower case, after `alt+` or `shift+` where these make a difference.
 * Those that return false have done nothing.
 */
export type KeyActions = Readonly<Record<string, () => unknown>>;

/** Listens for keys that no other control handles, and for clicks on buttons that stand for a key. */
export function listenForKeys(actions: KeyActions): void {
  const act = (key: string) => {
    const action = actions[key];
    return action !== undefined && action() !== false;
  };
  addEventListener("keydown", (event) => {
    const { target, altKey, shiftKey } = event;
    const key = event.key.toLowerCase();
    // Windows reports AltGr as Ctrl and Alt together: it makes characters such as [. Firefox on macOS
    // reports Option as AltGr, with arrow keys too.
    const typed = key.length === 1 && event.getModifierState("AltGraph");
    if ((event.ctrlKey && !typed) || event.metaKey) return;
    if (document.querySelector("dialog[open]") !== null) return;
    if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) {
      if (key === "escape") target.blur();
      return;
    }
    const onButton = target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement;
    if (onButton && (key === " " || key === "enter")) return;
    const shifted = `shift+${key}`;
    const name = altKey && !typed ? `alt+${key}` : shiftKey && shifted in actions ? shifted : key;
    if (act(name)) event.preventDefault();
  });
  addEventListener("click", ({ target }) => {
    const button = target instanceof Element ? target.closest("[data-key]") : null;
    if (button !== null) act(button.getAttribute("data-key")!.toLowerCase());
  });
}
