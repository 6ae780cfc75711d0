// Triggers: when a streaming query starts its next batch.
import { shown } from "../base/options.ts";
import type { Clock } from "../base/clock.ts";

/**
 * - `asap`: as soon as a frame is available (batches of one when idle, large ones under backlog);
 * - `interval`: at ticks aligned to the epoch;
 * - `available-now`: processes all data available at the start, in batches, then ends the query.
 */
export type Trigger =
  | { readonly kind: "asap" }
  | { readonly kind: "interval"; readonly ms: number }
  | { readonly kind: "available-now" };

/**
 * A trigger as on the command line. `once` is `available-now`: a single batch would need memory for the
 * whole backlog.
 */
export type TriggerSpec = "asap" | "available-now" | "once" | `interval:${string}`;

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Parses a duration such as `500ms`, `2s`, `15m`, `1h`.
 *
 * @returns milliseconds.
 * @throws {RangeError} saying what was given and what is accepted.
 */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(String(text).trim());
  if (match === null) {
    throw new RangeError(
      `Cannot read duration ${shown(text)}: expected a number and a unit, e.g. 500ms, 2s, 15m, 1h`,
    );
  }
  return Number(match[1]) * UNITS[match[2]!]!;
}

/**
 * Parses `asap`, `interval:500ms`, `available-now` or `once`.
 *
 * @throws {RangeError} saying what was given and what is accepted.
 */
export function parseTrigger(text: string): Trigger {
  text = String(text);
  if (text === "asap" || text === "available-now") return { kind: text };
  if (text === "once") return { kind: "available-now" };
  const [, duration] = /^interval:(\d+(?:\.\d+)?(?:ms|s|m|h))$/.exec(text) ?? [];
  const ms = duration === undefined ? 0 : parseDuration(duration);
  if (ms >= 1) return { kind: "interval", ms };
  throw new RangeError(
    `Cannot read trigger ${
      shown(text)
    }: expected asap, interval:DURATION from 1ms (e.g. interval:500ms), available-now or once`,
  );
}

/**
 * Checks a trigger in either form.
 *
 * @throws {RangeError} saying what was given and what is accepted.
 */
export function checkTrigger(trigger: Trigger | TriggerSpec): Trigger {
  if (typeof trigger === "string") return parseTrigger(trigger);
  const kind = trigger?.kind;
  if (kind === "asap" || kind === "available-now") return { kind };
  if (kind === "interval" && Number.isFinite(trigger.ms) && trigger.ms >= 1) return trigger;
  throw new RangeError(
    `Cannot use trigger ${
      shown(trigger)
    }: expected the kind asap, available-now, or interval with ms from 1 up`,
  );
}

/** Waits for ticks of an interval, aligned to the epoch so that restarts keep the schedule. */
export class TickTimer {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #onBehind: (lateMs: number) => void;
  #next: number | undefined;

  /** @param onBehind called when a batch took longer than the interval */
  constructor(clock: Clock, ms: number, onBehind: (lateMs: number) => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#onBehind = onBehind;
  }

  /** Resolves at the next tick; the first time immediately. */
  async wait(signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    if (this.#next !== undefined) {
      if (now > this.#next) this.#onBehind(now - this.#next);
      // No longer than one interval: the clock may have been set back.
      else await this.#clock.sleep(Math.min(this.#next - now, this.#ms), signal);
    }
    this.#next = (Math.floor(this.#clock.now() / this.#ms) + 1) * this.#ms;
  }
}
