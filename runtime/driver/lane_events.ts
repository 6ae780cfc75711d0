// Reports events of lanes to the listeners of a driver.
import type { Clock } from "../base/clock.ts";
import { given } from "../base/options.ts";
import { cameraOfPartition } from "../definition/frame.ts";
import type { PlainError } from "../executor/protocol.ts";
import type { Lane } from "./lane.ts";
import type { QueryErrorEvent, StreamingQueryManager } from "./manager.ts";

export class LaneEvents {
  readonly #streams: StreamingQueryManager;
  readonly #clock: Clock;

  constructor(streams: StreamingQueryManager, clock: Clock) {
    this.#streams = streams;
    this.#clock = clock;
  }

  started({ handle: { id, runId, name } }: Lane): void {
    this.#streams.notify("onQueryStarted", { id, runId, name, timestamp: this.#timestamp() });
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
    const { query, name, id, runId, topic, partition } = handle;
    const { name: type, message, stack, code, failed, operator, sink, place } = error;
    const { tries: _tries, why: _why, ...input } = failed ?? {};
    this.#streams.notify("onQueryError", {
      query,
      name,
      id,
      runId,
      topic,
      partition,
      camera: cameraOfPartition(partition),
      timestamp: this.#timestamp(),
      action,
      error: type,
      message,
      ...given({ stack, code, operator }),
      ...input,
      ...given({ sink }),
      ...place,
    });
  }

  #timestamp(): string {
    return new Date(this.#clock.now()).toISOString();
  }
}
