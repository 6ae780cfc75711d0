// Finds query definitions: those shipped in `queries/`, and users' own files.
import { nearest } from "../runtime/base/nearest.ts";
import { shown } from "../runtime/base/options.ts";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { statOf } from "./launch/paths.ts";

const FOLDER = new URL("../queries/", import.meta.url);
/** `.js` in the npm package. */
const EXTENSION = import.meta.url.slice(-3);

export interface FoundQuery {
  readonly name: string;
  readonly module: string;
  /** Whether it is shipped with Framelane. */
  readonly shipped?: true;
}

function shippedQueries(): string[] {
  return [...Deno.readDirSync(FOLDER)]
    .filter(({ name, isFile }) => isFile && name.endsWith(EXTENSION))
    .map(({ name }) => name.slice(0, -3))
    .sort();
}

/**
 * Finds a query by name in `queries/`, or by the path of a `.ts` file.
 *
 * @throws {Error} naming the existing queries
 */
export function findQuery(given: string): FoundQuery {
  const path = resolve(given);
  if (given.endsWith(".ts") && statOf(path)?.isFile) {
    return { name: nameIn(path) ?? basename(path).slice(0, -3), module: pathToFileURL(path).href };
  }
  const names = shippedQueries();
  if (!names.includes(given)) {
    const close = nearest(given.replace(/\.ts$/, ""), names);
    throw new Error(
      (given.endsWith(".ts") ? "Cannot find query file " : "Unknown query ") +
        `${shown(given)}: expected ${names.join(", ")} or the path of a .ts file` +
        (close !== undefined ? `; did you mean ${close}?` : ""),
    );
  }
  const module = new URL(`${given}${EXTENSION}`, FOLDER);
  return { name: nameIn(module) ?? given, module: module.href, shipped: true };
}

/** The name in a file's `query("NAME")`, without running its code; undefined if there are several. */
function nameIn(file: string | URL): string | undefined {
  const code = Deno.readTextFileSync(file).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const names = [...code.matchAll(/\bquery\(\s*(["'`])([\w.-]+)\1/g)].map(([, , name]) => name!);
  return new Set(names).size === 1 ? names[0] : undefined;
}
