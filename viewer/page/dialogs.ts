// Dialogs: groups of cameras, clips, and keyboard help.
import { element, iconButton } from "./dom.ts";
import { formatNumbers, moment } from "./format.ts";
import { KEY_HELP } from "./keys.ts";
import { type Group, groupName, parseCameras } from "./state.ts";
import { parseWhen } from "./when.ts";

/** A clip's default length before and after the current position, milliseconds. */
const CLIP_MS = 10_000;

function dialog(title: string, ...content: Node[]): HTMLDialogElement {
  const id = `dialog-${title.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`;
  const node = element("dialog", { class: "dialog", "aria-labelledby": id });
  node.append(
    element(
      "header",
      {},
      element("h2", { id }, title),
      iconButton("close", "Close", () => node.close()),
    ),
    ...content,
  );
  node.addEventListener("click", (event) => {
    if (event.target === node) node.close(); // a click on the backdrop
  });
  node.addEventListener("close", () => node.remove());
  document.body.append(node);
  node.showModal();
  return node;
}

/** Shows the group editor. `onChange` receives all groups after each change. */
export function showGroups(
  groups: readonly Group[],
  cameras: readonly { readonly number: number; readonly name: string }[],
  onChange: (groups: Group[]) => void,
): void {
  let current = [...groups];
  const listing = element("ul", { class: "group-list" });
  const name = element("input", {
    id: "group-name",
    required: true,
    maxlength: 40,
    placeholder: "Entrance",
    autocomplete: "off",
  });
  const numbers = element("input", {
    id: "group-cameras",
    placeholder: "1, 3-5",
    autocomplete: "off",
    "aria-describedby": "group-hint",
  });
  const checks = element("div", { class: "checks", role: "group", "aria-label": "Cameras" });
  const boxes = cameras.map(({ number, name: label }) => {
    const box = element("input", { type: "checkbox", value: number });
    checks.append(element("label", {}, box, label));
    box.addEventListener("change", () => {
      numbers.value = formatNumbers(
        boxes.filter((each) => each.checked).map((each) => Number(each.value)),
      );
    });
    return box;
  });
  const check = () => {
    const chosen = new Set(parseCameras(numbers.value));
    for (const box of boxes) box.checked = chosen.has(Number(box.value));
  };
  numbers.addEventListener("input", check);
  const change = (next: Group[]) => {
    current = next;
    onChange(current);
    list();
  };
  const edit = (group: Group) => {
    name.value = group.name;
    numbers.value = formatNumbers(group.cameras);
    check();
    name.focus();
  };
  const list = () => {
    listing.replaceChildren(...current.map((group) => {
      const open = element("button", { type: "button", class: "link" }, group.name);
      open.addEventListener("click", () => edit(group));
      return element(
        "li",
        {},
        open,
        element("span", { class: "muted" }, formatNumbers(group.cameras)),
        iconButton("close", `Delete group ${group.name}`, () => {
          change(current.filter((each) => each !== group));
        }),
      );
    }));
  };
  const form = element(
    "form",
    { class: "form" },
    element("label", { for: "group-name" }, "Name"),
    name,
    element("label", { for: "group-cameras" }, "Cameras"),
    numbers,
    element("p", { class: "muted", id: "group-hint" }, "Numbers, or choose below"),
    checks,
    element("button", { type: "submit", class: "button primary" }, "Save group"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const group = { name: groupName(name.value), cameras: parseCameras(numbers.value) };
    if (group.name === "" || group.cameras.length === 0) {
      (group.name === "" ? name : numbers).focus();
      return;
    }
    const at = current.findIndex((each) => each.name === group.name);
    change(at < 0 ? [...current, group] : current.with(at, group));
    form.reset();
    name.focus();
  });
  list();
  dialog("Groups", listing, form);
  name.focus();
}

/** Lets users choose a time range around `position` and download it. */
export function showClip(lane: string, camera: string, position: number, now: number): void {
  const from = element("input", { id: "clip-from", value: moment(position - CLIP_MS) });
  const to = element("input", { id: "clip-to", value: moment(position + CLIP_MS) });
  const problem = element("p", { class: "problem", role: "alert" });
  const form = element(
    "form",
    { class: "form" },
    element("label", { for: "clip-from" }, "From"),
    from,
    element("label", { for: "clip-to" }, "To"),
    to,
    problem,
    element("button", { type: "submit", class: "button primary" }, "Download MP4"),
  );
  const node = dialog(`Clip of ${camera}`, form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [begin, end] = [parseWhen(from.value, now), parseWhen(to.value, now)];
    if (begin === undefined || end === undefined || !("time" in begin) || !("time" in end)) {
      problem.textContent = "Expected times such as 14:03:22 or 2026-11-21 14:03:22";
      return;
    }
    if (begin.time >= end.time) {
      problem.textContent = "The clip must end after it begins";
      return;
    }
    const query = new URLSearchParams({
      lane,
      after: String(begin.time),
      before: String(end.time),
    });
    element("a", { href: `/api/clip.mp4?${query}`, download: true }).click();
    node.close();
  });
}

export function showKeys(): void {
  const rows = KEY_HELP.flatMap(([keys, meaning]) => [
    element("dt", {}, ...keys.map((key) => element("kbd", {}, key))),
    element("dd", {}, meaning),
  ]);
  dialog("Keyboard", element("dl", { class: "keys" }, ...rows));
}
