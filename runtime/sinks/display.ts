// The `display` sink: pictures and findings in the viewer.
import { checkOutput } from "../definition/result.ts";
import type { Sink } from "../definition/sink.ts";

/**
 * Shows outputs in the browser live: each as soon as it is available. Only the newest counts, and
 * nothing is repeated after a crash.
 *
 * @example
 * ```ts
 * import { display } from "./display.ts";
 *
 * display().delivery; // "live"
 * ```
 */
export function display(): Sink {
  return {
    uri: "display",
    delivery: "live",
    shows: true,
    opens: {},
    check: checkOutput,
    open: () => ({}),
  };
}
