// Creates elements. Text is always inserted as text: this page never parses HTML.
/** Attributes; `false` and `undefined` omit one, `true` sets it to an empty string. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;
export type Child = Node | string;

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(name);
  set(node, attributes);
  node.append(...children);
  return node;
}

/** Sets or removes attributes. */
export function set(node: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Sets a text only if it differs, to avoid layout and repeated announcements by screen readers. */
export function text(node: Element, value: string): void {
  if (node.textContent !== value) node.textContent = value;
}

/** Fills a `dl`: the names once, the values on each call. */
export function showFacts(
  list: Element,
  facts: readonly (readonly [name: string, value: string])[],
  attributesOf: (name: string) => Attributes = () => ({}),
): void {
  if (list.childElementCount !== facts.length) {
    list.replaceChildren(
      ...facts.map(([name]) =>
        element("div", attributesOf(name), element("dt", {}, name), element("dd"))
      ),
    );
  }
  facts.forEach(([, value], index) => text(list.children[index]!.lastElementChild!, value));
}

const SVG = "http://www.w3.org/2000/svg";

export function svg<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const node = document.createElementNS(SVG, name);
  set(node, attributes);
  node.append(...children);
  return node;
}

const ICONS = {
  sun:
    "M12 4V2M12 22v-2M4 12H2m20 0h-2M6.3 6.3 4.9 4.9m14.2 14.2-1.4-1.4M6.3 17.7l-1.4 1.4M19.1 4.9l-1.4 1.4M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0Z",
  expand: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  boxes: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M9 9h6v6H9z",
  bell: "M6 10a6 6 0 1 1 12 0c0 5 2 6 2 6H4s2-1 2-6M10 20h4",
  close: "M6 6l12 12M18 6 6 18",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM20 20l-4-4",
  play: "M7 5l12 7-12 7z",
  pause: "M8 5v14M16 5v14",
  back: "M16 5 8 12l8 7M6 5v14",
  forward: "M8 5l8 7-8 7M18 5v14",
  help:
    "M9.5 9a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1 1-1.1 1.8M12 17h.01M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z",
  chart: "M4 20h16M6 16l4-5 3 3 5-7",
  grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  download: "M12 4v11m-5-4 5 5 5-5M5 20h14",
  pencil: "M4 20l1-4L16 5l3 3L8 19z",
  clock: "M12 7v5l3 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z",
} as const;

export type IconName = keyof typeof ICONS;

/** A line icon, hidden from screen readers: its control has a label. */
export function icon(name: IconName): SVGSVGElement {
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" },
    svg("path", { d: ICONS[name] }),
  );
}

/** A button with an icon and an accessible label. */
export function iconButton(name: IconName, label: string, onClick: () => void): HTMLButtonElement {
  const button = element(
    "button",
    { type: "button", class: "icon-button", "aria-label": label, title: label },
    icon(name),
  );
  button.addEventListener("click", onClick);
  return button;
}
