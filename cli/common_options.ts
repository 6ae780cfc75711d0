// Options of every command.
import { type Options, parsers } from "./command.ts";
import { fenceOptions } from "./fence_options.ts";

/** How lines for people are written to standard error. */
export const LOG_FORMATS = ["text", "json"] as const;

export const commonOptions = {
  "log-format": {
    value: LOG_FORMATS.join("|"),
    help: "Lines on standard error as text, or as JSON with time, level and message (default text)",
    parse: parsers.oneOf(...LOG_FORMATS),
  },
  ...fenceOptions,
} as const satisfies Options;
