// Requests of a connection whose responses have not come. A broker answers one after the other, in
// order: only the oldest can be late.
import { systemClock } from "../../../base/clock.ts";
import type { Call } from "../protocol/api.ts";
import { NetworkError, TimeoutError } from "../protocol/errors.ts";
import type { ResponseReader } from "../protocol/wire.ts";

/** A broker that has been silent for this long may be away: others are asked about it now and then. */
export const SUSPICION_MS = 700;
/** How often, from then on. */
const DOUBT_MS = 300;
/** A broker that takes longer than its time-out to send this many bytes is as good as silent. */
const LIVELY_BYTES = 1024;

/** A request that waits for its response. */
export interface PendingRequest {
  readonly correlation: number;
  readonly call: Call;
  /** The broker may wait this much longer than usual, milliseconds. */
  readonly extraMs: number;
  readonly take: (response: ResponseReader) => void;
  readonly fail: (error: unknown) => void;
}

/** All requests that wait, the oldest first. */
export class PendingRequests {
  readonly #requests: { readonly request: PendingRequest; since: number }[] = [];
  readonly #timeoutMs: number;
  readonly #onSilence: (error: TimeoutError) => void;
  readonly #onDoubt: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Infinity;
  /** When enough bytes had last come or gone. */
  #alive = systemClock.monotonic();
  #moved = 0;
  #answered = 0;

  /**
   * @param timeoutMs how long the broker may be silent: neither has a response begun nor have bytes moved.
   * @param onSilence is called when it is silent for longer.
   * @param onDoubt is called, again and again, while it is silent and still has time.
   */
  constructor(timeoutMs: number, onSilence: (error: TimeoutError) => void, onDoubt: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#onSilence = onSilence;
    this.#onDoubt = onDoubt;
  }

  /** How many wait. */
  get size(): number {
    return this.#requests.length;
  }

  /** The oldest request. */
  get oldest(): Call | undefined {
    return this.#requests[0]?.request.call;
  }

  /** How many responses have come. */
  get answered(): number {
    return this.#answered;
  }

  add(request: PendingRequest): void {
    this.#requests.push({ request, since: systemClock.monotonic() });
    if (this.#requests.length === 1) this.#watch();
  }

  /** Bytes have come or gone. Fewer than a kilobyte at a time are no sign of life: that would never end. */
  moved(bytes: number): void {
    this.#moved += bytes;
    if (this.#moved < LIVELY_BYTES) return;
    this.#moved = 0;
    this.#alive = systemClock.monotonic();
  }

  /**
   * Gives a response to the oldest request.
   *
   * @throws {NetworkError} when it is the response to another one.
   */
  take(response: ResponseReader): void {
    const request = this.#requests[0]?.request;
    const correlation = response.int32();
    if (request?.correlation !== correlation) {
      throw new NetworkError(
        `response ${correlation} came instead of ${request?.correlation ?? "none"}`,
      );
    }
    this.#requests.shift();
    this.#answered++;
    request.take(response);
    const [next] = this.#requests;
    if (next === undefined) return;
    next.since = systemClock.monotonic();
    this.#watch();
  }

  /** Fails all. */
  fail(error: unknown): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { request } of this.#requests.splice(0)) request.fail(error);
  }

  #watch(doubted = false): void {
    const silentMs = this.#silentMs();
    const doubtMs = doubted ? DOUBT_MS : SUSPICION_MS - silentMs;
    const waitMs = Math.max(1, Math.ceil(Math.min(doubtMs, this.#timeoutMs - silentMs)));
    const due = systemClock.monotonic() + waitMs;
    if (this.#timer !== undefined) {
      // One that is due earlier looks again then: most requests need no timer of their own.
      if (this.#due <= due) return;
      clearTimeout(this.#timer);
    }
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const [oldest] = this.#requests;
      if (oldest === undefined) return;
      const silentMs = this.#silentMs();
      if (silentMs >= this.#timeoutMs) {
        const allowed = Math.round(this.#timeoutMs + oldest.request.extraMs);
        return this.#onSilence(new TimeoutError(`no answer within ${allowed} ms`));
      }
      const doubted = silentMs >= SUSPICION_MS;
      if (doubted) this.#onDoubt();
      this.#watch(doubted);
    }, waitMs);
  }

  /** How long the broker has been silent beyond what the oldest request allows it. */
  #silentMs(): number {
    const { request, since } = this.#requests[0]!;
    return systemClock.monotonic() - Math.max(since, this.#alive) - request.extraMs;
  }
}
