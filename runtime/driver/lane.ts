// One query on one partition, while it is assigned here.
import { CELL, type QuerySpec } from "../executor/protocol.ts";
import type { Membership } from "../log/log.ts";
import { LaneFailures } from "./lane_failures.ts";
import type { StreamingQuery } from "./streaming_query.ts";

/** A run of a query on a partition. The next run is a new lane with the same handle. */
export class Lane {
  readonly ended: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly failures: LaneFailures = new LaneFailures();
  stopping = false;
  /** Monotonic milliseconds. */
  startedAt = 0;
  /** No run has begun, or its end was reported to listeners. */
  reported = true;
  /** It ended or held an executor: it has its own, of low priority if it did so often. */
  alone = false;
  yields = false;

  /**
   * @param number differs for each start, so that messages of an earlier run are ignored
   * @param foundLater the partition was created while the query ran
   */
  constructor(
    readonly number: number,
    readonly handle: StreamingQuery,
    readonly spec: QuerySpec,
    public membership: Membership | undefined,
    readonly foundLater: boolean,
  ) {}
}

/** Not the number of any run. */
export const NO_RUN = 0;

/** Sets which run of a lane may commit, for held threads too: they need no message. */
export function letCommit({ handle }: Lane, run: number): void {
  Atomics.store(handle.cells, CELL.run, BigInt(run));
}

/** Whether a function of a sink runs that must not run twice at once. */
export function inFunction({ handle }: Lane): boolean {
  return Atomics.load(handle.cells, CELL.sink) !== 0n;
}

/** `greyscale QUERY-PARTITION-0`. */
export function titleOf({ spec, handle }: Lane): string {
  return `${spec.name} ${handle.name}`;
}

export class Lingering {
  readonly #runs = new Map<
    number,
    { readonly key: string; readonly over: PromiseWithResolvers<void> }
  >();

  /** @param key `laneId`: the query and its partition, across runs. */
  add(number: number, key: string): void {
    this.#runs.set(number, { key, over: Promise.withResolvers() });
  }

  has(number: number): boolean {
    return this.#runs.has(number);
  }

  /** A run has ended; returns whether it was one of these. */
  ended(number: number): boolean {
    this.#runs.get(number)?.over.resolve();
    return this.#runs.delete(number);
  }

  /** Resolves when no run of the key is left; undefined when there is none. */
  over(key: string): Promise<unknown> | undefined {
    const runs = [...this.#runs.values()].filter((run) => run.key === key);
    return runs.length === 0 ? undefined : Promise.all(runs.map(({ over }) => over.promise));
  }
}
