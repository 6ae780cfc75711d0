// All kinds of sinks: one row each for help, the reference, permissions, secrets and the
// constructor.
import { given, shown } from "../base/options.ts";
import {
  type AnySinkType,
  duration,
  number,
  sinkType,
  text,
  word,
} from "../definition/sink_type.ts";
import { consoleSink } from "./console.ts";
import { display } from "./display.ts";
import { events } from "./events.ts";
import { images } from "./images.ts";
import { topic } from "./topic.ts";
import { video, type VideoOptions } from "./video.ts";
import { webhook, type WebhookOptions } from "./webhook.ts";

/** In the order of the help. */
export const SINK_TYPES: readonly AnySinkType[] = [
  sinkType({ name: "display", help: "the wall in the browser", open: () => display() }),
  sinkType({
    name: "console",
    help: "a line for each output",
    options: { rate: { value: "N", help: "lines per second", parse: number } },
    open: ({ options: { rate } }) => consoleSink(given({ linesPerSecond: rate })),
  }),
  sinkType({
    name: "images",
    target: "DIR",
    help: "a file for each picture, and a table of them",
    opens: "folder",
    open: ({ target }) => images({ directory: target }),
  }),
  sinkType({
    name: "video",
    target: "DIR",
    help: "video files",
    opens: "folder",
    options: {
      format: {
        value: "mp4|avi",
        help: "kind of file",
        parse: word<NonNullable<VideoOptions["format"]>>,
      },
      roll: { value: "10m|500MB", help: "when to start a new file", parse: roll },
      preset: {
        value: "NAME",
        help: "speed of the encoder",
        parse: word<NonNullable<VideoOptions["preset"]>>,
      },
      crf: { value: "N", help: "quality, lower is better", parse: number },
      group: { value: "1s", help: "time between keyframes", parse: duration },
    },
    open: ({ target, options: { format, roll, preset, crf, group } }) =>
      video({ directory: target, ...roll, ...given({ format, preset, crf, groupMs: group }) }),
  }),
  sinkType({
    name: "events",
    target: "FILE",
    help: "a line of JSON for each output",
    opens: "file",
    open: ({ target }) => events({ file: target }),
  }),
  sinkType({
    name: "topic",
    target: "NAME",
    help: "records of another topic of the log",
    open: ({ target }) => topic({ name: target }),
  }),
  sinkType({
    name: "webhook",
    target: "URL",
    help: "findings and alerts to a web address",
    mark: "#",
    opens: "host",
    secret: "FRAMELANE_WEBHOOK_SECRET",
    options: {
      only: {
        value: "findings|alerts|all",
        help: "what to post: findings of windows, and alerts (default); alerts; all outputs",
        parse: word<NonNullable<WebhookOptions["only"]>>,
      },
      retries: { value: "N", help: "retries after the first try", parse: number },
      timeout: { value: "10s", help: "time limit of a try", parse: duration },
      "dead-letters": {
        value: "FILE",
        help: "keeps what could not be delivered",
        parse: text,
        opens: "file-folder",
      },
    },
    open: ({ target, options: { only, retries, timeout, "dead-letters": deadLetters }, secret }) =>
      webhook({
        url: target,
        ...given({ secret, only, retries, timeoutMs: timeout, deadLetters }),
      }),
  }),
];

const UNITS: Readonly<Record<string, number>> = { kB: 1e3, MB: 1e6, GB: 1e9 };

function roll(text: string): Pick<VideoOptions, "rollMs" | "rollBytes"> {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)(kB|MB|GB)$/.exec(text) ?? [];
  if (number !== undefined) return { rollBytes: Number(number) * UNITS[unit]! };
  try {
    return { rollMs: duration(text) };
  } catch (error) {
    throw new RangeError(
      `Cannot roll videos at ${shown(text)}: ` +
        "expected a duration such as 10m or a size such as 500MB",
      { cause: error },
    );
  }
}
