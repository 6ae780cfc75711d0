// What the keys do.
/** All that keys can ask of the page. */
export interface KeyActions extends PlainActions {
  /** Chooses the camera some columns and rows away. */
  readonly move: (columns: number, rows: number) => void;
  /** Moves the chosen camera among the others. */
  readonly reorder: (by: number) => void;
  /** Shows a group, 0 is all cameras; false where there is none. */
  readonly group: (index: number) => boolean;
  readonly step: (frames: number) => void;
  /** Opens the next older alert of the list, or the next newer one. */
  readonly alert: (by: number) => void;
}

const ARROWS: Readonly<Record<string, readonly [columns: number, rows: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** With what the same keys give on some keyboards while Shift is held. */
const STEPS: Readonly<Record<string, number>> = {
  ",": -1,
  "<": -1,
  ";": -1,
  ".": 1,
  ">": 1,
  ":": 1,
};

/** The next older alert, and the next newer one. */
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
  "d": "theme",
  "f": "fullScreen",
  "n": "numbers",
  "?": "help",
} as const;

/** What keys can ask of the page without saying more. */
type PlainActions = Readonly<Record<typeof PLAIN[keyof typeof PLAIN], () => void>>;

/** The same for people. */
export const KEY_HELP: readonly (readonly [keys: readonly string[], meaning: string])[] = [
  [["←", "↑", "→", "↓"], "Move between cameras"],
  [["Enter"], "One camera alone, and back; a click does the same"],
  [["Esc"], "Back to the wall"],
  [["Alt", "←"], "Move a camera; or drag it by its name"],
  [["/"], "Search"],
  [["1", "9"], "Groups; 1 is all cameras"],
  [["+", "−", "0"], "More columns, fewer, as many as fit best"],
  [["Space"], "Pause and play"],
  [[",", "."], "One frame back, one frame on; ten with Shift"],
  [["[", "]"], "Slower, faster"],
  [["L"], "Live"],
  [["C"], "Download a clip"],
  [["T"], "Time bar"],
  [["A"], "Alerts"],
  [["J", "K"], "The next older alert, the next newer one"],
  [["O"], "Results over the pictures"],
  [["G"], "Edit groups"],
  [["D"], "Light or dark"],
  [["F"], "Full screen"],
  [["N"], "Numbers and charts, or names and clock alone"],
];

/** Listens for keys, wherever nothing else on the page wants them. */
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
}

/** @returns true when the key meant something. */
function act({ key, altKey, shiftKey }: KeyboardEvent, actions: KeyActions): boolean {
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
