// Labels for the images of a folder, from an annotation file or the names of its subfolders.
import { join } from "node:path";
import type { Headers } from "../runtime/definition/frame.ts";

/** Annotation files, in order of preference. */
const FILES = ["annotations.csv", "labels.csv", "labels.txt"];
const MOST_BYTES = 64 * 1024 * 1024;
const FILE_COLUMNS = ["file", "filename", "image", "path"];
/** Headers that annotations must not override. */
const RESERVED = new Set(
  ["content-type", "session", "seq", "width", "height", "file", "query", "keyframe", "codec"],
);

/**
 * The annotations of a folder, read again when their file changes.
 *
 * `annotations.csv` and `labels.csv` start with a line of column names, one of them `file`; every
 * other column becomes a header of the frame. Each line of `labels.txt` is a file name and its
 * label. An image that neither mentions is labelled with the name of its folder, unless that is the
 * watched folder itself.
 */
export class Annotations {
  readonly #folder: string;
  #version = "";
  #fault = "";
  #rows = new Map<string, Headers>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads them again if they changed; reports a file that cannot be read. */
  async refresh(report: (message: string) => void): Promise<void> {
    for (const name of FILES) {
      const path = join(this.#folder, name);
      try {
        const info = await Deno.stat(path);
        if (!info.isFile) continue;
        const version = `${name} ${info.mtime?.getTime()} ${info.size}`;
        if (version === this.#version) return;
        this.#version = version;
        if (info.size > MOST_BYTES) {
          throw new Error(`it has ${info.size} bytes, at most ${MOST_BYTES} are accepted`);
        }
        const text = await Deno.readTextFile(path);
        this.#rows = name.endsWith(".csv") ? readTable(text) : readPairs(text);
        this.#fault = "";
        return;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) continue;
        const { message } = error as Error;
        if (message !== this.#fault) report(`Cannot read the labels in ${path}: ${message}`);
        this.#fault = message;
        return this.#rows.clear();
      }
    }
    this.#rows.clear();
    this.#version = "";
  }

  /** @param file path of an image below the folder, with `/` between its parts */
  of(file: string): Headers {
    const parts = file.split("/");
    const row = this.#rows.get(file) ?? this.#rows.get(parts.at(-1)!);
    const parent = parts.at(-2);
    return row ?? (parent === undefined ? {} : { label: parent });
  }
}

function readTable(text: string): Map<string, Headers> {
  const [names = [], ...rows] = parseCsv(text);
  const columns = names.map((name) => name.trim().toLowerCase().replaceAll(/[^a-z0-9]+/g, "-"));
  const fileColumn = columns.findIndex((name) => FILE_COLUMNS.includes(name));
  const table = new Map<string, Headers>();
  if (fileColumn < 0) return table;
  for (const row of rows) {
    const file = row[fileColumn]?.trim().replace(/^\.\//, "");
    if (file === undefined || file === "") continue;
    const headers: Record<string, string> = {};
    for (const [index, name] of columns.entries()) {
      const value = row[index];
      if (index === fileColumn || name === "" || RESERVED.has(name)) continue;
      if (/^(?:source|camera)-/.test(name) || value === undefined || value === "") continue;
      // A leading apostrophe marks text that a spreadsheet would otherwise read as a formula.
      headers[name] = value.replace(/^'(?='*[=+\-@\t\r])/, "");
    }
    table.set(file, headers);
  }
  return table;
}

function readPairs(text: string): Map<string, Headers> {
  const table = new Map<string, Headers>();
  for (const line of text.split(/\r?\n/)) {
    const pair = line.trim();
    const label = pair.split(SEPARATORS).at(-1)!;
    // By hand: an expression would take the square of the time on a line of separators.
    let end = pair.length - label.length;
    while (SEPARATORS.test(pair[end - 1] ?? "")) end--;
    if (label !== "" && end > 0) {
      table.set(pair.slice(0, end).replace(/^\.\//, ""), { label });
    }
  }
  return table;
}

const SEPARATORS = /[\s,;]+/;

/** A field of CSV: its quoted part, its plain part, and what ends it. */
const FIELD = /(?:"([^"]*(?:""[^"]*)*)(?:"|$))?([^,\n]*)(,|\n|$)/g;

/** Parses CSV; quoted fields may contain commas, line breaks and doubled quotes. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted = "", plain = "", end] of text.replace(/^\ufeff/, "").matchAll(FIELD)) {
    const tail = end === "," ? plain : plain.replace(/\r$/, "");
    rows.at(-1)!.push(quoted.replaceAll('""', '"') + tail);
    if (end === "\n") rows.push([]);
    if (end === "") break;
  }
  return rows;
}
