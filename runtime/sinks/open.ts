/**
 * Sinks by their names on the command line.
 *
 * @module
 */
import type { UriAccess } from "../base/access.ts";
import { parseDuration } from "../definition/trigger.ts";
import { console } from "./console.ts";
import { display } from "./display.ts";
import { events } from "./events.ts";
import { images } from "./images.ts";
import type { Sink } from "../definition/sink.ts";
import { topic } from "./topic.ts";
import { video, type VideoOptions } from "./video.ts";
import { webhook, type WebhookOptions } from "./webhook.ts";

/** What `--sink` takes, for help and messages. */
const SINK_FORMS = [
  "display",
  "console",
  "images:DIR",
  "video:DIR",
  "events:FILE",
  "topic:NAME",
  "webhook:URL",
] as const;

/** A kind of sink: what follows its name, and which options it takes. */
interface Kind {
  /** What must follow the colon; absent when nothing may. */
  readonly target?: string;
  readonly options?: readonly string[];
  /** What options follow: `?`, or `#` where the target may hold a `?` itself. */
  readonly mark?: "#";
  /** What the target and the options open; the launcher allows that alone. */
  readonly opens?: Pick<UriAccess, "target" | "options">;
  open(target: string, options: ReadonlyMap<string, string>): Sink;
}

const KINDS: Readonly<Record<string, Kind>> = {
  display: { open: () => display() },
  console: {
    options: ["rate"],
    open: (_, options) => console(withNumber("linesPerSecond", options.get("rate"))),
  },
  images: {
    target: "DIR",
    opens: { target: "folder" },
    open: (directory) => images({ directory }),
  },
  video: {
    target: "DIR",
    opens: { target: "folder" },
    options: ["format", "roll", "preset", "crf", "group"],
    open: (directory, options) =>
      video({
        directory,
        ...withWord<VideoOptions, "format">("format", options.get("format")),
        ...rollOf(options.get("roll")),
        ...withWord<VideoOptions, "preset">("preset", options.get("preset")),
        ...withNumber("crf", options.get("crf")),
        ...withDuration("groupMs", options.get("group")),
      }),
  },
  events: { target: "FILE", opens: { target: "file" }, open: (file) => events({ file }) },
  topic: { target: "NAME", open: (name) => topic({ name }) },
  webhook: {
    target: "URL",
    mark: "#",
    opens: { target: "host", options: { "dead-letters": "file-folder" } },
    options: ["only", "retries", "timeout", "dead-letters"],
    open: (url, options) =>
      webhook({
        url,
        ...secretOf(),
        ...withWord<WebhookOptions, "only">("only", options.get("only")),
        ...withNumber("retries", options.get("retries")),
        ...withDuration("timeoutMs", options.get("timeout")),
        ...withWord<WebhookOptions, "deadLetters">("deadLetters", options.get("dead-letters")),
      }),
  },
};

/** What each kind of sink opens, for the launcher. */
export function sinkAccess(): Record<string, UriAccess> {
  return Object.fromEntries(
    Object.entries(KINDS).map(([name, { opens, mark }]) => [
      name,
      { ...opens, ...(mark === undefined ? {} : { mark }) },
    ]),
  );
}

/**
 * The sink that a `--sink` names. Options follow as a query string: `console?rate=2`; behind an
 * address as its fragment: `webhook:https://host/path#only=alerts`. The environment variable
 * `FRAMELANE_WEBHOOK_SECRET` signs what webhooks send.
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
  const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
  if (kind === undefined || (rest !== "" && !/^[:?#]/.test(rest))) {
    throw new RangeError(
      `Unknown sink ${JSON.stringify(maskedSink(uri))}: expected ${SINK_FORMS.join(", ")}`,
    );
  }
  const { target, options = [] } = kind;
  const form = target === undefined ? name : `${name}:${target}`;
  const fail = (why: string): never => {
    throw new RangeError(`Cannot use sink ${JSON.stringify(maskedSink(uri))}: ${why}`);
  };
  const mark = rest.indexOf(kind.mark ?? "?");
  const given = mark === -1 ? rest : rest.slice(0, mark);
  const parameters = new Map<string, string>();
  for (const [option, value] of new URLSearchParams(mark === -1 ? "" : rest.slice(mark + 1))) {
    if (!options.includes(option)) {
      fail(
        `unknown option ${option}, expected ` +
          (options.length === 0 ? `${form} without options` : options.join(", ")),
      );
    }
    if (parameters.has(option)) fail(`option ${option} was given more than once`);
    parameters.set(option, value);
  }
  if (target === undefined && given !== "") fail(`expected ${form} alone`);
  if (target !== undefined && (!given.startsWith(":") || given.length === 1)) {
    fail(`expected ${form}`);
  }
  return kind.open(given.slice(1), parameters);
}

function withNumber<const K extends string>(
  key: K,
  text: string | undefined,
): { [P in K]?: number } {
  if (text === undefined) return {};
  const number = Number(text);
  if (text.trim() === "" || !Number.isFinite(number)) {
    throw new RangeError(`Cannot use ${JSON.stringify(text)} as a number`);
  }
  return { [key]: number } as { [P in K]: number };
}

/** A word that the sink itself checks. */
function withWord<O, const K extends keyof O>(key: K, text: string | undefined): Pick<O, K> {
  return (text === undefined ? {} : { [key]: text }) as Pick<O, K>;
}

/** The secret of webhooks, which need not stand in a command line. */
const SECRET_VARIABLE = "FRAMELANE_WEBHOOK_SECRET";

function secretOf(): Pick<WebhookOptions, "secret"> {
  const { state } = Deno.permissions.querySync({ name: "env", variable: SECRET_VARIABLE });
  const secret = state === "granted" ? Deno.env.get(SECRET_VARIABLE) : undefined;
  return secret === undefined || secret === "" ? {} : { secret };
}

function withDuration<const K extends string>(
  key: K,
  text: string | undefined,
): { [P in K]?: number } {
  return (text === undefined ? {} : { [key]: parseDuration(text) }) as { [P in K]: number };
}

const UNITS = { kB: 1e3, MB: 1e6, GB: 1e9 } as const;

/** A size such as `500MB`, or else a duration such as `10m`. */
function rollOf(text: string | undefined): Pick<VideoOptions, "rollMs" | "rollBytes"> {
  if (text === undefined) return {};
  const [, number, unit] = /^(\d+(?:\.\d+)?)(kB|MB|GB)$/.exec(text) ?? [];
  if (unit !== undefined) return { rollBytes: Number(number) * UNITS[unit as keyof typeof UNITS] };
  try {
    return { rollMs: parseDuration(text) };
  } catch (error) {
    throw new RangeError(
      `Cannot roll videos at ${JSON.stringify(text)}: ` +
        "expected a duration such as 10m or a size such as 500MB",
      { cause: error },
    );
  }
}

/** A sink's URI without what may be a secret: user information, values of options, paths of web addresses. */
export function maskedSink(uri: string): string {
  return uri.replace(/\/\/[^/]*@/, "//***@").replace(/(:\/\/[^/]*\/).+$/s, "$1…")
    .replace(/[?#].*$/s, (options) => `${options[0]}…`);
}
