// Reports events of a lane to the listeners of a driver.
import type { Clock } from "../base/clock.ts";
import { given } from "../base/options.ts";
import { cameraOfPartition } from "../definition/frame.ts";
import type { PlainError } from "../executor/protocol.ts";
import type { QueryErrorEvent, StreamingQueryManager } from "./manager.ts";
import type { StreamingQuery } from "./streaming_query.ts";

export class LaneEvents {
  /** A run has begun whose end was not reported. */
  #begun = false;

  constructor(
    readonly handle: StreamingQuery,
    readonly streams: Pick<StreamingQueryManager, "notify">,
    readonly clock: Clock,
  ) {}

  begins(): void {
    this.#begun = true;
  }

  started(): void {
    const { id, runId, name } = this.handle;
    this.streams.notify("onQueryStarted", { id, runId, name, timestamp: this.#timestamp() });
  }

  /** A run ended, with its error if it failed; reported once. */
  ended(error?: PlainError): void {
    if (!this.#begun) return;
    this.#begun = false;
    const { id, runId, exception } = this.handle;
    this.streams.notify("onQueryTerminated", {
      id,
      runId,
      ...(error !== undefined && exception !== undefined ? { exception: exception.message } : {}),
    });
  }

  /** A run failed, or an input was dead-lettered. */
  failed(error: PlainError, action: QueryErrorEvent["action"]): void {
    const { query, name, id, runId, topic, partition } = this.handle;
    const { name: type, message, stack, code, failed, operator, sink, place } = error;
    const { tries: _tries, why: _why, ...input } = failed ?? {};
    this.streams.notify("onQueryError", {
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
    return new Date(this.clock.now()).toISOString();
  }
}
