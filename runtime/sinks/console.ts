// The `console` sink: one line of text for each output.
import { checkOptions } from "../base/fields.ts";
import { ABOVE_ZERO } from "../base/options.ts";
import { cameraIdentity } from "../lanes.ts";
import { isFinding, type Output, type Result, type ResultData } from "../definition/frame.ts";
import { checkOutput, plainResult } from "../definition/result.ts";
import type { Sink, SinkContext, SinkTask } from "../definition/sink.ts";

/** Options of `consoleSink`. */
export interface ConsoleOptions {
  /** Lines a second and lane; more are counted and reported with the next line. Default 10. */
  readonly linesPerSecond?: number;
}

/**
 * Prints outputs, live, on standard error, so that standard output stays for results: camera,
 * offset, capture time, size, scores, objects, alert. Alerts are always printed.
 *
 * @example
 * ```ts
 * import { consoleSink } from "./console.ts";
 *
 * const sink = consoleSink({ linesPerSecond: 2 });
 * sink.uri; // "console"
 * ```
 */
export function consoleSink(options: ConsoleOptions = {}): Sink {
  const { linesPerSecond = 10 } = options;
  checkOptions("print outputs", options, { linesPerSecond: ABOVE_ZERO });
  return {
    uri: "console",
    delivery: "live",
    opens: {},
    check: checkOutput,
    open: (context) => new ConsoleTask(context, linesPerSecond),
  };
}

/** A token bucket of one second's lines. */
class ConsoleTask implements SinkTask {
  readonly #context: SinkContext;
  readonly #rate: number;
  #allowance: number;
  #filledAt: number;
  #skipped = 0;

  constructor(context: SinkContext, rate: number) {
    this.#context = context;
    this.#rate = rate;
    this.#allowance = Math.max(1, rate);
    this.#filledAt = context.clock.monotonic();
  }

  write(outputs: readonly Output[]): void {
    for (const output of outputs) {
      const now = this.#context.clock.monotonic();
      const full = Math.max(1, this.#rate);
      const fresh = (now - this.#filledAt) / 1000 * this.#rate;
      this.#allowance = Math.min(full, this.#allowance + fresh);
      this.#filledAt = now;
      if (this.#allowance < 1 && output.result?.alert === undefined) {
        this.#skipped++;
        continue;
      }
      this.#allowance = Math.max(0, this.#allowance - 1);
      const more = this.#skipped === 0 ? "" : ` (and ${this.#skipped} before it)`;
      this.#skipped = 0;
      this.#context.report(lineOf(output) + more);
    }
  }

  close(): void {
    if (this.#skipped > 0) this.#context.report(`… and ${this.#skipped} more`);
    this.#skipped = 0;
  }
}

/** Formats an output as a line, e.g. `CAMERA-1 #123 12:00:01.234 58.2 kB motion 0.31`. */
export function lineOf(output: Output): string {
  const { key, partition } = output;
  const picture = isFinding(output) ? output.picture : output;
  const place = isFinding(output)
    ? `#${output.firstOffset}–${output.lastOffset}`
    : `#${output.offset}`;
  return [
    cameraIdentity({ key, partition, headers: {} }).camera,
    place,
    timeOf(output.timestamp),
    picture === undefined ? "" : `${(picture.value.length / 1000).toFixed(1)} kB`,
    ...(output.result === undefined ? [] : wordsOf(output.result)),
  ].filter((part) => part !== "").join(" ");
}

function timeOf(timestamp: number): string {
  return Math.abs(timestamp) <= 8.64e15
    ? new Date(timestamp).toISOString().slice(11, 23)
    : String(timestamp);
}

const MAXIMUM_WORDS = 5;

function wordsOf(result: Result): string[] {
  const { scores = {}, frames = [], zones = {}, counts = {}, alert, data } = plainResult(result);
  const best = Object.entries(scores).sort(([, a], [, b]) => b - a).slice(0, MAXIMUM_WORDS)
    .map(([label, score]) => `${label} ${score.toFixed(2)}`);
  const objects = (frames.at(-1)?.objects ?? []).slice(0, MAXIMUM_WORDS)
    .map(({ label, score, track }) =>
      `${label}${track === undefined ? "" : `#${track}`} ${score.toFixed(2)}`
    );
  return [
    best.join(", "),
    objects.length === 0 ? "" : `[${objects.join(", ")}]`,
    ...Object.entries(zones).map(([name, present]) => `${name}: ${present}`),
    ...Object.entries(counts).map(([name, count]) => `${name}: ${count.in} in, ${count.out} out`),
    alert === undefined
      ? ""
      : `ALERT ${alert.state} ${alert.label} ${alert.peak.toFixed(2)} ${alert.id}`,
    data === undefined ? "" : dataText(data),
  ];
}

const MAXIMUM_DATA = 120;

function dataText(data: ResultData): string {
  const text = JSON.stringify(data);
  return text.length <= MAXIMUM_DATA ? text : `${text.slice(0, MAXIMUM_DATA)}…`;
}
