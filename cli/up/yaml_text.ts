// The text of a YAML file: its values, and the lines of its fields.
import {
  type ErrorCode,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "yaml";
import { type Fault, faultText } from "../../runtime/base/fields.ts";

/** A fault and its line in the file. */
export interface LineFault {
  readonly line: number;
  readonly message: string;
}

const ALIAS = "text that begins with * or & needs quotes";
const COLON = "text that holds a colon before a blank or at its end needs quotes";

/** What the text must keep to. The parser's own words may quote a secret. */
const RULES: Partial<Readonly<Record<ErrorCode, string>>> = {
  BAD_ALIAS: ALIAS,
  BAD_DQ_ESCAPE: "a backslash within double quotes needs another one",
  BAD_INDENT: "entries of a list or map begin at one column, and brackets are closed",
  BAD_SCALAR_START: "text that begins with @, % or a backtick needs quotes",
  BLOCK_AS_IMPLICIT_KEY: COLON,
  DUPLICATE_KEY: "a name stands once in a map",
  MISSING_CHAR: "a quote, bracket, comma, colon, dash or blank is missing",
  MULTILINE_IMPLICIT_KEY: "a name stands on one line, with a colon after it",
  MULTIPLE_DOCS: "the file holds one document",
  TAB_AS_INDENT: "lines are indented with spaces, not tabs",
  TAG_RESOLVE_FAILED: "text that begins with ! needs quotes",
};
const ELSE = "text with brackets, braces, colons or other marks needs quotes";

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
    const [error] = [...this.#document.errors, ...this.#document.warnings];
    if (error !== undefined) {
      this.#refuse(error.pos[0], RULES[error.code] ?? ELSE);
      return;
    }
    try {
      this.value = this.#filled(this.#document.toJS({ maxAliasCount: 1_000 }), "", environment);
    } catch (error) {
      let [at, rule] = [
        0,
        error instanceof RangeError ? "an alias is part of itself" : "it has too many aliases",
      ];
      visit(this.#document, {
        Alias: (_, alias) => {
          if (alias.resolve(this.#document) === undefined) [at, rule] = [alias.range![0], ALIAS];
        },
      });
      this.#refuse(at, rule);
    }
  }

  #refuse(at: number, rule: string): void {
    const { line, col } = this.#lines.linePos(at);
    this.faults.push({ line, message: `Cannot read YAML at column ${col}: ${rule}` });
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
