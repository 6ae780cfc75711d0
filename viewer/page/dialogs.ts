// Dialogs: groups of cameras, clips, and keyboard help.
import { copyOf, element, find, set, text } from "./dom.ts";
import { formatNumbers, moment } from "./format.ts";
import { type Group, groupName, parseCameras } from "./state.ts";
import { parseWhen } from "./when.ts";

/** A clip's default length before and after the current position, milliseconds. */
const CLIP_MS = 10_000;

// Where browsers do not know `closedby`, such as Safari.
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("pointerdown", ({ clientX, clientY }) => {
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    const inside = clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
    if (!inside && !("closedBy" in HTMLDialogElement.prototype)) dialog.close();
  });
}

const keyboard = find(document, "#keyboard", HTMLDialogElement);

export function showKeys(): void {
  keyboard.showModal();
}

interface Camera {
  readonly number: number;
  readonly name: string;
}

export class GroupsDialog {
  readonly #node = find(document, "#groups", HTMLDialogElement);
  readonly #list = find(this.#node, ".group-list", HTMLElement);
  readonly #name = find(this.#node, "#group-name", HTMLInputElement);
  readonly #numbers = find(this.#node, "#group-cameras", HTMLInputElement);
  readonly #checks = find(this.#node, ".checks", HTMLElement);
  readonly #onChange: (groups: readonly Group[]) => void;
  #groups: readonly Group[] = [];
  #boxes: readonly HTMLInputElement[] = [];

  /** @param onChange receives all groups after each change */
  constructor(onChange: (groups: readonly Group[]) => void) {
    this.#onChange = onChange;
    this.#numbers.addEventListener("input", () => this.#check());
    this.#checks.addEventListener("change", () => {
      const chosen = this.#boxes.filter(({ checked }) => checked);
      this.#numbers.value = formatNumbers(chosen.map(({ value }) => Number(value)));
    });
    const form = find(this.#node, ".form", HTMLFormElement);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const group = {
        name: groupName(this.#name.value),
        cameras: parseCameras(this.#numbers.value),
      };
      if (group.name === "") return this.#name.focus();
      if (group.cameras.length === 0) return this.#numbers.focus();
      const at = this.#groups.findIndex(({ name }) => name === group.name);
      this.#change(at < 0 ? [...this.#groups, group] : this.#groups.with(at, group));
      form.reset();
      this.#name.focus();
    });
  }

  show(groups: readonly Group[], cameras: readonly Camera[]): void {
    this.#boxes = cameras.map(({ number }) =>
      element("input", { type: "checkbox", value: number })
    );
    this.#checks.replaceChildren(
      ...cameras.map(({ name }, index) => element("label", {}, this.#boxes[index]!, name)),
    );
    this.#name.value = this.#numbers.value = "";
    this.#groups = groups;
    this.#showList();
    this.#node.showModal();
    this.#name.focus();
  }

  #change(groups: readonly Group[]): void {
    this.#groups = groups;
    this.#onChange(groups);
    this.#showList();
  }

  #showList(): void {
    this.#list.replaceChildren(...this.#groups.map((group) => {
      const { name, cameras } = group;
      const item = copyOf("group");
      const open = find(item, ".link", HTMLElement);
      text(open, name);
      open.addEventListener("click", () => {
        this.#name.value = name;
        this.#numbers.value = formatNumbers(cameras);
        this.#check();
        this.#name.focus();
      });
      text(find(item, ".muted", HTMLElement), formatNumbers(cameras));
      const remove = find(item, ".icon-button", HTMLElement);
      set(remove, { title: `Delete group ${name}` });
      remove.addEventListener("click", () => {
        this.#change(this.#groups.filter((each) => each !== group));
      });
      return item;
    }));
  }

  /** Checks the boxes of the cameras in the text. */
  #check(): void {
    const chosen = new Set(parseCameras(this.#numbers.value));
    for (const box of this.#boxes) box.checked = chosen.has(Number(box.value));
  }
}

/** Downloads a time range of a lane. */
export class ClipDialog {
  readonly #node = find(document, "#clip", HTMLDialogElement);
  readonly #from = find(this.#node, "#clip-from", HTMLInputElement);
  readonly #to = find(this.#node, "#clip-to", HTMLInputElement);
  readonly #problem = find(this.#node, ".problem", HTMLElement);
  readonly #now: () => number;
  #lane = "";

  /** @param now the server's clock, epoch milliseconds */
  constructor(now: () => number) {
    this.#now = now;
    find(this.#node, ".form", HTMLFormElement).addEventListener("submit", async (event) => {
      event.preventDefault();
      const problem = await this.#downloadChosen();
      text(this.#problem, problem);
      if (problem === "") this.#node.close();
    });
  }

  /** Lets the user choose the times around a position; all are capture times, epoch milliseconds. */
  ask(lane: string, camera: string, position: number): void {
    this.#show(lane, camera, position - CLIP_MS, position + CLIP_MS, "");
  }

  #show(lane: string, camera: string, after: number, before: number, problem: string): void {
    this.#lane = lane;
    text(find(this.#node, "h2", HTMLElement), `Clip of ${camera}`);
    this.#from.value = moment(after);
    this.#to.value = moment(before);
    text(this.#problem, problem);
    this.#node.showModal();
  }

  /** Downloads without asking; shows itself if there is something to say. */
  async download(lane: string, camera: string, after: number, before: number): Promise<void> {
    const problem = await downloadClip(lane, after, before);
    if (problem === "") return;
    // It may be open for another clip meanwhile.
    while (this.#node.open) {
      await new Promise((done) => this.#node.addEventListener("close", done, { once: true }));
    }
    this.#show(lane, camera, after, before, problem);
  }

  async #downloadChosen(): Promise<string> {
    const now = this.#now();
    const [begin, end] = [parseWhen(this.#from.value, now), parseWhen(this.#to.value, now)];
    if (begin === undefined || end === undefined || !("time" in begin) || !("time" in end)) {
      return "Expected times such as 14:03:22 or 2026-11-21 14:03:22";
    }
    if (begin.time >= end.time) return "The clip must end after it begins";
    return await downloadClip(this.#lane, begin.time, end.time);
  }
}

/** @returns why there is no clip, or what is wrong with it; else empty */
async function downloadClip(lane: string, after: number, before: number): Promise<string> {
  const address = clipAddress(lane, after, before);
  // A download that fails would give no reason. The clip begun for HEAD has ended when it answers.
  const head = await fetch(address, { method: "HEAD" }).catch(() => undefined);
  if (!head?.ok) return await reasonOf(address);
  element("a", { href: address, download: true }).click();
  const most = head.headers.get("x-framelane-cut-after");
  return most === null ? "" : `The clip is cut: it holds the first ${most} frames`;
}

/** Where the MP4 of a lane between two capture times is. */
export function clipAddress(lane: string, after: number, before: number): string {
  const query = new URLSearchParams({ lane, after: `${after}`, before: `${before}` });
  return `/api/clip.mp4?${query}`;
}

/** Why there is no clip at an address. */
async function reasonOf(address: string): Promise<string> {
  try {
    const response = await fetch(address);
    if (!response.ok) return (await response.json()).error;
    await response.body?.cancel();
    return "The clip can be made now: try again";
  } catch {
    return "Connection lost";
  }
}
