// The text of a YAML file: its values, and the lines of its fields.
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { messageOf } from "../../runtime/base/errors.ts";
import { type Fault, faultText } from "../../runtime/base/fields.ts";

/** A fault and its line in the file. */
export interface LineFault {
  readonly line: number;
  readonly message: string;
}

export class YamlText {
  /** With variables filled in; undefined if the text is not YAML. */
  readonly value: unknown;
  readonly faults: LineFault[] = [];
  readonly #lines = new LineCounter();
  readonly #document;
  /** Paths of values with variables that are not set. */
  readonly #unset = new Set<string>();

  constructor(text: string, environment: (name: string) => string | undefined) {
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      uniqueKeys: true,
    });
    // Later errors mostly follow from the first.
    const [error] = this.#document.errors;
    if (error !== undefined) {
      const hint = error.code === "BLOCK_AS_IMPLICIT_KEY"
        ? "; text that ends with a colon needs quotes"
        : "";
      const { line } = this.#lines.linePos(error.pos[0]);
      this.faults.push({ line, message: `Cannot read YAML: ${error.message}${hint}` });
      return;
    }
    try {
      this.value = this.#filled(this.#document.toJS({ maxAliasCount: 1_000 }), "", environment);
    } catch (error) {
      const why = error instanceof RangeError ? "an alias is part of itself" : messageOf(error);
      this.faults.push({ line: 1, message: `Cannot read YAML: ${why}` });
    }
  }

  /** Adds faults; those of a value with a variable that is not set follow from that. */
  add(faults: readonly Fault[]): void {
    for (const fault of faults) {
      if (this.#unset.has(fault.path)) continue;
      this.faults.push({ line: this.lineOf(fault.path), message: faultText(fault) });
    }
  }

  /** The line of a field such as `cameras[0].fps`, or of what holds it, counted from 1. */
  lineOf(path: string): number {
    let node: unknown = this.#document.contents;
    let at = node as Node | null;
    for (const [name] of path.matchAll(/[^.[\]]+/g)) {
      const whole = isAlias(node) ? node.resolve(this.#document) : node;
      if (isMap(whole)) {
        const pair = whole.items.find(({ key }) =>
          String(isScalar(key) ? key.value : key) === name
        );
        if (pair === undefined) break;
        node = pair.value;
        // A value below its name is reported at the line of the name.
        at = (isScalar(node) ? node : pair.key) as Node;
      } else if (isSeq(whole)) {
        node = whole.items[Number(name)];
        at = node as Node;
      } else break;
    }
    return this.#lines.linePos(at?.range?.[0] ?? 0).line;
  }

  #filled(
    value: unknown,
    path: string,
    environment: (name: string) => string | undefined,
  ): unknown {
    if (Array.isArray(value)) {
      return value.map((item, i) => this.#filled(item, `${path}[${i}]`, environment));
    }
    if (typeof value === "object" && value !== null) {
      return Object.fromEntries(
        Object.entries(value).map(([name, item]) => [
          name,
          this.#filled(item, path === "" ? name : `${path}.${name}`, environment),
        ]),
      );
    }
    if (typeof value !== "string") return value;
    return fillIn(value, (name) => {
      const text = environment(name);
      if (text === undefined && !this.#unset.has(path)) {
        this.faults.push({ line: this.lineOf(path), message: `${path}: ${name} is not set` });
        this.#unset.add(path);
      }
      return text;
    });
  }
}

/** Replaces `${FRAMELANE_NAME}`; commands see no other variables. */
export function fillIn(text: string, environment: (name: string) => string | undefined): string {
  return text.replace(
    /\$\{(FRAMELANE_[A-Z0-9_]+)\}/g,
    (_, name: string) => environment(name) ?? "",
  );
}
