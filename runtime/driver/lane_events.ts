// Reports events of lanes to the listeners of a driver.
import type { Clock } from "../base/clock.ts";
import type { PlainError } from "../executor/protocol.ts";
import type { Lane } from "./lane.ts";
import type { StreamingQueryManager } from "./manager.ts";
import { queryError, type QueryErrorEvent } from "./query_error.ts";

export class LaneEvents {
  readonly #streams: StreamingQueryManager;
  readonly #clock: Clock;

  constructor(streams: StreamingQueryManager, clock: Clock) {
    this.#streams = streams;
    this.#clock = clock;
  }

  started({ handle: { id, runId, name } }: Lane): void {
    const timestamp = new Date(this.#clock.now()).toISOString();
    this.#streams.notify("onQueryStarted", { id, runId, name, timestamp });
  }

  /** A run ended, with its error if it failed; reported once. */
  ended(lane: Lane, error?: PlainError): void {
    if (lane.reported) return;
    lane.reported = true;
    const { id, runId, exception } = lane.handle;
    this.#streams.notify("onQueryTerminated", {
      id,
      runId,
      ...(error !== undefined && exception !== undefined ? { exception: exception.message } : {}),
    });
  }

  /** A run failed, or an input was dead-lettered. */
  failed({ handle }: Lane, error: PlainError, action: QueryErrorEvent["action"]): void {
    this.#streams.notify("onQueryError", queryError(handle, error, action, this.#clock.now()));
  }
}
