// Finds and creates elements. Text is always inserted as text: this page never parses HTML.
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

/**
 * An element of the page, or of a copy of one of its templates.
 *
 * @throws {Error} if there is none of this type
 */
export function find<T extends Element>(
  root: ParentNode,
  selector: string,
  type: new () => T,
): T {
  const found = root.querySelector(selector);
  if (found instanceof type) return found;
  throw new Error(`The page has no ${type.name} ${selector}`);
}

/** A copy of the only element of a template. */
export function copyOf(template: string): HTMLElement {
  const { content } = find(document, `#${template}`, HTMLTemplateElement);
  return find(document.importNode(content, true), "*", HTMLElement);
}

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

const madeFrom = new WeakMap<Element, string>();

/** Makes an element's children, but only if what they are made from has changed. The focus stays in its place. */
export function fill(node: Element, from: unknown, make: () => readonly Node[]): void {
  const key = JSON.stringify(from);
  if (madeFrom.get(node) === key) return;
  madeFrom.set(node, key);
  const focused = document.activeElement;
  const place = [...node.children].findIndex((child) => child.contains(focused));
  node.replaceChildren(...make());
  if (place < 0) return;
  const next = focused?.isConnected === true ? focused : node.children[place];
  if (next instanceof HTMLElement) next.focus({ preventScroll: true });
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
