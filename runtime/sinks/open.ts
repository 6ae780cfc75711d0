// Opens sinks by their URIs on the command line.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { moduleOf, type UriAccess } from "../base/access.ts";
import { messageOf } from "../base/errors.ts";
import type { Sink } from "../definition/sink.ts";
import { given, shown } from "../base/options.ts";
import { loadModule, QueryOptionsError } from "../definition/query_options.ts";
import type { AnySinkType } from "../definition/sink_type.ts";
import { SINK_TYPES } from "./table.ts";

/** The forms that `--sink` accepts, for help and messages. */
export function sinkForms(): string {
  return [...SINK_TYPES.map(formOf), "./FILE.ts:TARGET"].join(", ");
}

/** The permissions that each kind of sink needs, for the launcher. */
export function sinkAccess(): Record<string, UriAccess> {
  return Object.fromEntries(SINK_TYPES.map(({ name, opens, ports, mark, options }) => {
    const opening = Object.entries(options).flatMap(([option, { opens }]) =>
      opens === undefined ? [] : [[option, opens] as const]
    );
    return [name, {
      ...given({ target: opens, ports, mark }),
      ...(opening.length === 0 ? {} : { options: Object.fromEntries(opening) }),
    }];
  }));
}

/**
 * Opens the sink of a `--sink`. Options follow as a query string: `console?rate=2`; after a URL as
 * its fragment: `webhook:https://host/path#only=alerts`.
 *
 * @throws {RangeError} saying what was given and what is accepted.
 *
 * @example
 * ```ts
 * import { openSink } from "./open.ts";
 *
 * openSink("images:out").delivery; // "exactly-once"
 * ```
 */
export function openSink(uri: string): Sink {
  const [, name = "", rest = ""] = /^([a-z]*)(.*)$/s.exec(uri)!;
  const type = SINK_TYPES.find((one) => one.name === name);
  if (type === undefined || (rest !== "" && !/^[:?#]/.test(rest))) {
    throw new RangeError(
      `Unknown sink ${shown(maskedSink(uri))}: expected ${sinkForms()}`,
    );
  }
  return openAs(type, uri, rest);
}

/**
 * As `openSink`, but also opens kinds of sinks that modules export.
 *
 * @throws {QueryOptionsError} if the module cannot be loaded, does not export one, or that one does
 * not accept the URI.
 */
export async function loadSink(uri: string): Promise<Sink> {
  const module = moduleUrl(uri);
  if (module === undefined) return openSink(uri);
  const { path, url, rest } = module;
  const { default: type } = await loadModule(url) as { default?: AnySinkType };
  if (typeof type?.openTexts !== "function" || typeof type.name !== "string") {
    throw new QueryOptionsError(
      `Cannot use ${path} as a sink: expected its default export to be sinkType({ name, help, open })`,
    );
  }
  try {
    return openAs(type, uri, rest);
  } catch (error) {
    throw new QueryOptionsError(messageOf(error), { cause: error });
  }
}

/** The module that exports a kind of sink, and what follows it in the URI. */
export function moduleUrl(uri: string) {
  const module = moduleOf(uri, false);
  if (module === undefined) return undefined;
  const { path } = module;
  const url = path.startsWith("file://") ? new URL(path) : pathToFileURL(resolve(path));
  return { ...module, url: url.href };
}

/** Checks what can be checked before a module is loaded. */
export function checkSink(uri: string): void {
  if (moduleOf(uri, false) === undefined) openSink(uri);
}

function formOf({ name, target }: AnySinkType): string {
  return target === undefined ? name : `${name}:${target}`;
}

function openAs(type: AnySinkType, uri: string, rest: string): Sink {
  const { target, options } = type;
  const form = formOf(type);
  const fail = (why: string): never => {
    throw new RangeError(`Cannot use sink ${shown(maskedSink(uri))}: ${why}`);
  };
  const mark = rest.indexOf(type.mark ?? "?");
  const given = mark === -1 ? rest : rest.slice(0, mark);
  const texts = new Map<string, string>();
  for (const [option, value] of new URLSearchParams(mark === -1 ? "" : rest.slice(mark + 1))) {
    if (!Object.hasOwn(options, option)) {
      const known = Object.keys(options).join(", ");
      fail(
        `unknown option ${option}, expected ${known === "" ? `${form} without options` : known}`,
      );
    }
    if (texts.has(option)) fail(`option ${option} was given more than once`);
    texts.set(option, value);
  }
  if (target === undefined && given !== "") fail(`expected ${form} alone`);
  if (target !== undefined && (!given.startsWith(":") || given.length === 1)) {
    fail(`expected ${form}`);
  }
  return type.openTexts(given.slice(1), texts);
}

/** A sink's URI without possible secrets: user information, options, paths of web addresses. */
export function maskedSink(uri: string): string {
  return uri.replace(/\/\/[^/]*@/, "//***@").replace(/(:\/\/[^/]*\/).+$/s, "$1…")
    .replace(/[?#].*$/s, (options) => `${options[0]}…`);
}
