// Keyboard shortcuts.
export interface KeyActions extends PlainActions {
  /** Selects the camera this many columns and rows away. */
  readonly move: (columns: number, rows: number) => void;
  /** Moves the selected camera in the order. */
  readonly reorder: (by: number) => void;
  /** Shows a group, 0 for all cameras; false if it does not exist. */
  readonly group: (index: number) => boolean;
  readonly step: (frames: number) => void;
  /** Opens the alert `by` places further down the list. */
  readonly alert: (by: number) => void;
}

const ARROWS: Readonly<Record<string, readonly [columns: number, rows: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Includes the characters that some keyboards produce with Shift. */
const STEPS: Readonly<Record<string, number>> = {
  ",": -1,
  "<": -1,
  ";": -1,
  ".": 1,
  ">": 1,
  ":": 1,
};

/** Steps through the alert list: older, newer. */
const ALERTS: Readonly<Record<string, number>> = { "j": 1, "k": -1 };

const PLAIN = {
  "enter": "alone",
  "escape": "back",
  "/": "search",
  "+": "moreColumns",
  "-": "fewerColumns",
  "0": "bestColumns",
  " ": "togglePlaying",
  "[": "slower",
  "]": "faster",
  "l": "live",
  "c": "clip",
  "t": "timeBar",
  "a": "alerts",
  "o": "overlay",
  "g": "groups",
  "f": "fullScreen",
  "n": "numbers",
  "?": "help",
} as const;

type PlainActions = Readonly<Record<typeof PLAIN[keyof typeof PLAIN], () => void>>;

/** Listens for keys that no other control handles, and for clicks on buttons that stand for a key. */
export function listenForKeys(actions: KeyActions): void {
  addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || document.querySelector("dialog[open]") !== null) return;
    if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) {
      if (key === "Escape") target.blur();
      return;
    }
    const onButton = target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement;
    if (onButton && (key === " " || key === "Enter")) return;
    if (act(event, actions)) event.preventDefault();
  });
  addEventListener("click", ({ target }) => {
    const button = target instanceof Element ? target.closest("[data-key]") : null;
    const key = button?.getAttribute("data-key");
    if (key) act({ key, altKey: false, shiftKey: false }, actions);
  });
}

/** @returns whether the key was handled */
function act(
  { key, altKey, shiftKey }: Pick<KeyboardEvent, "key" | "altKey" | "shiftKey">,
  actions: KeyActions,
): boolean {
  const arrow = ARROWS[key];
  if (arrow !== undefined) {
    if (altKey) actions.reorder(arrow[0] + arrow[1]);
    else actions.move(...arrow);
    return true;
  }
  if (altKey) return false;
  if (key >= "1" && key <= "9") return actions.group(Number(key) - 1);
  const step = STEPS[key];
  if (step !== undefined) {
    actions.step(shiftKey ? step * 10 : step);
    return true;
  }
  const by = ALERTS[key.toLowerCase()];
  if (by !== undefined) {
    actions.alert(by);
    return true;
  }
  const plain = Object.entries(PLAIN).find(([name]) => name === key.toLowerCase())?.[1];
  if (plain === undefined) return false;
  actions[plain]();
  return true;
}
