/**
 * Dialogs: groups of cameras, and the keys.
 *
 * @module
 */
import { element, iconButton } from "./dom.ts";
import { formatNumbers } from "./numbers.ts";
import { type Group, groupName, parseCameras } from "./state.ts";

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
    if (event.target === node) node.close(); // outside of it: on its backdrop
  });
  node.addEventListener("close", () => node.remove());
  document.body.append(node);
  node.showModal();
  return node;
}

/** Lets people edit the groups. `onChange` gets all groups after each change. */
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

const KEYS: readonly (readonly [string, string])[] = [
  ["← ↑ → ↓", "Move between cameras"],
  ["Enter or double click", "One camera alone, and back"],
  ["Esc", "Back to the wall"],
  ["Alt ← Alt →", "Move a camera; or drag it by its name"],
  ["/", "Search"],
  ["1 … 9", "Groups, 1 is all cameras"],
  ["+ −", "More or fewer columns, 0 for the best fit"],
  ["Space", "Pause and play"],
  [", .", "One frame back, one frame on; ten with Shift"],
  ["[ ]", "Slower, faster"],
  ["L", "Live"],
  ["T", "Time bar"],
  ["A", "Alerts"],
  ["O", "Results over the pictures"],
  ["G", "Edit groups"],
  ["D", "Light or dark"],
  ["F", "Full screen"],
];

/** Shows what the keys do. */
export function showKeys(): void {
  const rows = KEYS.flatMap(([key, meaning]) => [
    element("dt", {}, ...key.split(" ").map((part) => element("kbd", {}, part))),
    element("dd", {}, meaning),
  ]);
  dialog("Keyboard", element("dl", { class: "keys" }, ...rows));
}
