// Requests in flight on a connection. Responses come in order, so only the oldest can be late.
import { systemClock } from "../../../base/clock.ts";
import type { Call } from "../protocol/api.ts";
import { NetworkError } from "../protocol/errors.ts";
import type { ResponseReader } from "../protocol/wire.ts";

/**
 * After this long without a response the cluster is asked whether it still has the broker (twice as long at most
 * if the broker may wait before it responds)…
 */
export const SILENCE_MS = 700;
/** … and then at this interval. */
const RECHECK_MS = 300;
/** A broker that takes longer than the time-out to send this many bytes counts as silent. */
const LIVELY_BYTES = 1024;

export interface PendingRequest {
  readonly correlation: number;
  readonly call: Call;
  /** How much longer than others it may take. */
  readonly extraMs: number;
  /** When it became the oldest; before that, when it was added. */
  since: number;
  readonly take: (response: ResponseReader) => void;
  readonly fail: (error: unknown) => void;
}

/** All requests in flight, the oldest first. */
export class PendingRequests {
  readonly #requests: PendingRequest[] = [];
  readonly #timeoutMs: number;
  readonly #onTimeout: (error: NetworkError) => void;
  readonly #onSilence: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Infinity;
  /** When at least `LIVELY_BYTES` had last been moved. */
  #alive = systemClock.monotonic();
  #moved = 0;
  completed = 0;

  /**
   * @param timeoutMs how long the connection may be silent, without a response or other traffic
   * @param onSilence called repeatedly while it is silent, before the time-out
   */
  constructor(timeoutMs: number, onTimeout: (error: NetworkError) => void, onSilence: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#onTimeout = onTimeout;
    this.#onSilence = onSilence;
  }

  get oldest(): Call | undefined {
    return this.#requests[0]?.call;
  }

  add(request: PendingRequest): void {
    this.#requests.push(request);
    if (this.#requests.length === 1) this.#watch();
  }

  /** Counts bytes sent or received. A few bytes do not count as a sign of life, or a trickle would never time out. */
  moved(bytes: number): void {
    this.#moved += bytes;
    if (this.#moved < LIVELY_BYTES) return;
    this.#moved = 0;
    this.#alive = systemClock.monotonic();
  }

  /**
   * Completes the oldest request.
   *
   * @throws {NetworkError} if the response belongs to another request
   */
  take(response: ResponseReader): void {
    const request = this.#requests[0];
    const correlation = response.int32();
    if (request?.correlation !== correlation) {
      throw new NetworkError(
        `it sent response ${correlation}, expected ${request?.correlation ?? "none"}`,
      );
    }
    this.#requests.shift();
    this.completed++;
    request.take(response);
    const [next] = this.#requests;
    if (next === undefined) return;
    next.since = systemClock.monotonic();
    this.#watch();
  }

  fail(error: unknown): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { fail } of this.#requests.splice(0)) fail(error);
  }

  #watch(reported = false): void {
    const { silentMs, suspectMs, timeoutMs } = this.#silence(this.#requests[0]!);
    const reportMs = reported ? RECHECK_MS : suspectMs - silentMs;
    const waitMs = Math.max(1, Math.ceil(Math.min(reportMs, timeoutMs - silentMs)));
    const due = systemClock.monotonic() + waitMs;
    if (this.#timer !== undefined) {
      // An earlier timer checks again when it fires: most requests need none of their own.
      if (this.#due <= due) return;
      clearTimeout(this.#timer);
    }
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const [oldest] = this.#requests;
      if (oldest === undefined) return;
      const { silentMs, suspectMs, timeoutMs } = this.#silence(oldest);
      if (silentMs >= timeoutMs) {
        return this.#onTimeout(new NetworkError(`no response within ${Math.round(timeoutMs)} ms`));
      }
      const silent = silentMs >= suspectMs;
      if (silent) this.#onSilence();
      this.#watch(silent);
    }, waitMs);
  }

  /** Of the oldest request: how long it has waited, when that is suspicious, and when it is over. */
  #silence({ extraMs, since }: PendingRequest) {
    return {
      silentMs: systemClock.monotonic() - Math.max(since, this.#alive),
      // A member that waits half a minute for others looks the same as one of a broker that hangs.
      suspectMs: SILENCE_MS + Math.min(extraMs, SILENCE_MS),
      timeoutMs: this.#timeoutMs + extraMs,
    };
  }
}
