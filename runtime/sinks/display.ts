// The `display` sink: pictures and findings on the wall.
import { checkOutput } from "../definition/result.ts";
import type { Sink } from "../definition/sink.ts";

/**
 * Shows outputs in the browser, live: each as soon as it is there, the newest one wins, and after a
 * crash nothing is shown again for completeness' sake.
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
