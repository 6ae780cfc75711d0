// The text of a YAML file: its values, and the lines of its fields.
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "yaml";
import { messageOf } from "../../runtime/base/errors.ts";
import { type Fault, faultText } from "../../runtime/base/fields.ts";

/** A fault and its line in the file. */
export interface LineFault {
  readonly line: number;
  readonly message: string;
}

/** Instead of "Nested mappings are not allowed …": the usual cause is `source: pattern:`. */
const COLON = "text that holds a colon before a blank or at its end needs quotes";

export class YamlText {
  /** With variables filled in; undefined if the text is not YAML. */
  readonly value: unknown;
  readonly faults: LineFault[] = [];
  readonly #lines = new LineCounter();
  readonly #document;
  /** Values with variables that are not set. */
  readonly #unset = new Set<unknown>();

  constructor(text: string, environment: (name: string) => string | undefined) {
    const document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      // Its warnings quote what may be a secret.
      logLevel: "error",
    });
    this.#document = document;
    // Later errors mostly follow from the first.
    const [error] = [...document.errors, ...document.warnings];
    if (error !== undefined) {
      const isColon = error.code === "BLOCK_AS_IMPLICIT_KEY" ||
        error.code === "BLOCK_IN_FLOW" && text[error.pos[0]] !== "-";
      this.#refuse(error.pos[0], isColon ? COLON : error.message);
      return;
    }
    let isWhole = true;
    visit(document, {
      Alias: (_, alias, path) => {
        const target = alias.resolve(document);
        if (target !== undefined && !path.includes(target)) return;
        isWhole = false;
        this.#refuse(alias.range![0], "Unresolved alias; text that begins with * needs quotes");
      },
      Scalar: (key, scalar) => {
        if (key === "key" || typeof scalar.value !== "string") return;
        // Commands see no other variables.
        scalar.value = scalar.value.replace(/\$\{(FRAMELANE_[A-Z0-9_]+)\}/g, (given, name) => {
          const value = environment(name);
          if (value !== undefined) return value;
          this.#fault(scalar.range![0], `${name} is not set`);
          this.#unset.add(scalar);
          return given;
        });
      },
    });
    try {
      if (isWhole) this.value = document.toJS({ maxAliasCount: 1_000 });
    } catch (error) {
      this.#refuse(0, messageOf(error));
    }
  }

  /** Adds a fault in the parser's words, without those that it quotes, which may be a secret. */
  #refuse(at: number, message: string): void {
    const words = message.replace(/(?<=\S): .*|; please use .*/s, "").replace(/\S*[!\\]\S*/g, "…");
    this.#fault(at, `Cannot read YAML at column ${this.#lines.linePos(at).col}: ${words}`);
  }

  #fault(at: number, message: string): void {
    this.faults.push({ line: this.#lines.linePos(at).line, message });
  }

  /** Adds faults; those of a value with a variable that is not set follow from that. */
  add(faults: readonly Fault[]): void {
    for (const fault of faults) {
      if (this.#unset.has(this.#nodeAt(fault.path))) continue;
      this.faults.push({ line: this.lineOf(fault.path), message: faultText(fault) });
    }
  }

  /** The line of a field such as `cameras[0].fps`, or of what holds it, counted from 1. */
  lineOf(path: string): number {
    return this.#lines.linePos(this.#nodeAt(path)?.range?.[0] ?? 0).line;
  }

  #nodeAt(path: string): Node | null {
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
    return at;
  }
}
