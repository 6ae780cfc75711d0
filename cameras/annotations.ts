// Annotations of the images of a folder: from a file, or the names of its folders.
import { join } from "node:path";
import type { Headers } from "../runtime/definition/frame.ts";

/** Annotation files; the first one found wins. */
const FILES = ["annotations.csv", "labels.csv", "labels.txt"];
/** Columns that name the image. */
const FILE_COLUMNS = ["file", "filename", "image", "path"];
/** Headers with another meaning. */
const RESERVED = new Set(
  ["content-type", "session", "seq", "width", "height", "file", "query", "keyframe", "codec"],
);

/**
 * Annotations of a folder, read again when their file changes.
 *
 * `annotations.csv` and `labels.csv` begin with a line of column names, one of them `file`; each
 * further column becomes a header of the frame. `labels.txt` has a file and its label a line. An
 * image that they do not mention gets the name of its subfolder as label.
 */
export class Annotations {
  readonly #folder: string;
  #version = "";
  #rows = new Map<string, Headers>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async refresh(): Promise<void> {
    for (const name of FILES) {
      const path = join(this.#folder, name);
      try {
        const { mtime, size } = await Deno.stat(path);
        const version = `${name} ${mtime?.getTime()} ${size}`;
        if (version === this.#version) return;
        const text = await Deno.readTextFile(path);
        this.#rows = name.endsWith(".csv") ? readTable(text) : readPairs(text);
        this.#version = version;
        return;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
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
      // An apostrophe marks text that a spreadsheet would take for a formula.
      headers[name] = value.replace(/^'(?='*[=+\-@\t\r])/, "");
    }
    table.set(file, headers);
  }
  return table;
}

function readPairs(text: string): Map<string, Headers> {
  const table = new Map<string, Headers>();
  for (const line of text.split(/\r?\n/)) {
    const match = /^(.+?)[\s,;]+([^\s,;]+)\s*$/.exec(line.trim());
    if (match) table.set(match[1]!.replace(/^\.\//, ""), { label: match[2]! });
  }
  return table;
}

/** Rows of comma-separated values; quoted ones may hold commas, line ends and doubled quotes. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = "";
  let quoted = false;
  const body = text.replace(/^\ufeff/, "");
  for (let i = 0; i < body.length; i++) {
    const character = body[i]!;
    if (quoted) {
      if (character !== '"') field += character;
      else if (body[i + 1] === '"') field += body[++i];
      else quoted = false;
    } else if (character === '"' && field === "") {
      quoted = true;
    } else if (character === ",") {
      row.push(field);
      field = "";
    } else if (character === "\n") {
      row.push(field.replace(/\r$/, ""));
      rows.push(row);
      row = [];
      field = "";
    } else {
      field += character;
    }
  }
  if (field !== "" || row.length > 0) rows.push([...row, field]);
  return rows;
}
