// One query of a driver, on all partitions that it has here: loaded, at work, ended.
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { given } from "../base/options.ts";
import { retry, waitAtMost, withDeadline } from "../base/wait.ts";
import { besideOf } from "../definition/align.ts";
import type { StopMode } from "../engine/options.ts";
import type { LoadedQuery, QuerySpec } from "../executor/protocol.ts";
import {
  type Assignment,
  type CheckpointInfo,
  type GroupMember,
  LogError,
  type Membership,
  type TopicLog,
} from "../log/log.ts";
import type { ExecutorSet } from "./executor_set.ts";
import type { Lane, LaneOptions } from "./lane.ts";
import { LOAD_MS } from "./query_spec.ts";
import type { QueryMetrics } from "./metrics.ts";

/** Interval between looks for a topic that does not exist yet, milliseconds. */
const TOPIC_POLL_MS = 250;

export type QueryLane = Pick<Lane, "begin" | "renew" | "end" | "isOver" | "ended">;

/** Parts shared by the queries of a driver. */
export interface DriverParts {
  readonly log: TopicLog;
  readonly executors: Pick<ExecutorSet, "load" | "unload">;
  readonly newLane: (options: LaneOptions) => QueryLane;
  readonly metrics: QueryMetrics;
  readonly clock: Clock;
  readonly report: (message: string) => void;
  readonly sessionTimeoutMs?: number | undefined;
}

export class DriverQuery {
  readonly spec: QuerySpec;
  readonly #parts: DriverParts;
  readonly #ending = new AbortController();
  #loading: Promise<LoadedQuery> | undefined;
  loaded: LoadedQuery | undefined;
  /** Whether it has had a partition here. */
  begun = false;
  /** Number of partitions of its topic when it began. */
  #count: number | undefined;
  #member: GroupMember | undefined;
  #end: Promise<void> | undefined;
  /** Ends of all partitions at the start, of a finite query that shares them. */
  #ends: readonly number[] = [];
  /** Partitions that it has from its group. */
  readonly #assigned = new Set<number>();
  /** The newest lane of each partition that it has or had here. */
  readonly #lanes = new Map<number, QueryLane>();

  constructor(spec: QuerySpec, parts: DriverParts) {
    this.spec = spec;
    this.#parts = parts;
  }

  /** Lanes that it may have here; 1 until its topic is known. */
  get mostLanes(): number {
    return this.#named?.length ?? this.#count ?? 1;
  }

  /** Its lanes that have not ended. */
  get lanes(): QueryLane[] {
    return [...this.#lanes.values()].filter(({ isOver }) => !isOver);
  }

  /** Partitions named in its options; undefined where all are shared with the group. */
  get #named(): readonly number[] | undefined {
    const { partitions = "all" } = this.spec;
    return partitions === "all" ? undefined : partitions;
  }

  async load(): Promise<LoadedQuery> {
    return this.loaded = await (this.#loading ??= this.#load());
  }

  async #load(): Promise<LoadedQuery> {
    const { executors, report, clock } = this.#parts;
    const { name, module } = this.spec;
    const what = `Loading query ${name}${typeof module === "string" ? ` from ${module}` : ""}`;
    const { signal } = this.#ending;
    const load = () => executors.load(this.spec);
    const loaded = await withDeadline(what, LOAD_MS, load, { clock, signal });
    for (const remark of loaded.remarks) report(`${this.spec.name}: ${remark}`);
    return loaded;
  }

  /**
   * Waits for its partitions: named ones must exist; for `all` a missing topic is waited for.
   *
   * @throws when it is missing and the query is finite.
   */
  async find(): Promise<void> {
    const { name, topic, source: { startingOffsets: from } = {} } = this.spec;
    const count = this.#count = await this.#partitions(Math.max(0, ...this.#named ?? []) + 1);
    const unused = Object.keys(typeof from === "object" ? from[topic] ?? {} : {})
      .filter((partition) => Number(partition) >= count);
    if (unused.length === 0) return;
    this.#parts.report(
      `${name}: starting offsets of partition ${unused.join(", ")} are not used: expected 0 to ` +
        `${count - 1}, the partitions of ${topic}`,
    );
  }

  /**
   * Waits until its topic has at least this many partitions; returns how many it has.
   *
   * @throws {LogError} `TOPIC_MISSING` or `PARTITION_MISSING` without waiting, if the query is finite;
   * errors of the log that do not heal
   */
  async #partitions(needed: number): Promise<number> {
    const { log, clock, report } = this.#parts;
    const { name, topic } = this.spec;
    const waits = async () => !(await this.load()).finite;
    for (let reported = false;; reported = true) {
      let count = 0;
      let away: LogError | undefined;
      try {
        count = await log.partitionCount(topic);
      } catch (error) {
        if (!(error instanceof LogError) || !error.retryable || !await waits()) throw error;
        away = error;
      }
      if (count >= needed) return count;
      const missing = count === 0
        ? `Topic ${topic} does not exist in ${log.url}`
        : `Topic ${topic} in ${log.url} has no partition ${needed - 1} (it has ${count})`;
      if (!await waits()) {
        throw new LogError(
          count === 0 ? "TOPIC_MISSING" : "PARTITION_MISSING",
          `${missing}: start a camera first, or name another --topic`,
        );
      }
      if (!reported) {
        const why = away === undefined
          ? `${missing}: waiting for a camera`
          : `${away.message}: waiting`;
        report(`${name}: ${why}`);
      }
      await clock.sleep(TOPIC_POLL_MS, this.#ending.signal);
    }
  }

  /** Takes over the partitions; resolves once the first ones are assigned. */
  async begin(): Promise<void> {
    const { spec } = this;
    const { signal } = this.#ending;
    const query = await this.load();
    const { finite, aligns } = query;
    // Two cameras have no single end offset.
    if (finite && this.#named === undefined && aligns === undefined) await this.#noteEnds();
    const known = await this.#checkpointsBefore();
    const isLater = foundLater(known, this.#named, this.#count ?? 0);
    signal.throwIfAborted();
    this.#noteContinued(known);
    const begin = (partition: number, membership?: Membership) => {
      // A lane reads this partition besides its own.
      if (aligns !== undefined && besideOf(aligns, partition) === undefined) return;
      this.begun = true;
      const foundLater = isLater(partition);
      const lane = this.#parts.newLane({ spec, query, partition, membership, foundLater });
      this.#lanes.set(partition, lane);
      lane.begin();
    };
    if (this.#named === undefined) return await this.#join(begin);
    for (const partition of this.#named) begin(partition);
  }

  /** Its checkpoints, before it has left one here; none where nothing depends on them. */
  async #checkpointsBefore(): Promise<readonly CheckpointInfo[]> {
    if (this.#named !== undefined && this.#begins === undefined) return [];
    const { clock } = this.#parts;
    return await retry(() => this.#checkpoints(), { clock, signal: this.#ending.signal });
  }

  /** Its checkpoints now, from where its executors keep them. */
  async #checkpoints(): Promise<readonly CheckpointInfo[]> {
    const { group, topic, name: query } = this.spec;
    const { checkpointLocation } = await this.load();
    return await this.#parts.log.checkpoints({
      group,
      query,
      topic,
      ...given({ checkpointLocation }),
    });
  }

  /** Where its options say that it begins; a start in its definition stays there for every run. */
  get #begins(): unknown {
    const { startingOffsets, startingTimestamp } = this.spec.source ?? {};
    return startingTimestamp ?? startingOffsets;
  }

  #noteContinued(known: readonly CheckpointInfo[]): void {
    const partitions = known.map(({ partition }) => partition)
      .filter((partition) => this.#named?.includes(partition) ?? true);
    if (this.#begins === undefined || partitions.length === 0) return;
    this.#parts.report(
      `${this.spec.name} continues from its checkpoint on partition ${partitions.join(", ")}: ` +
        "starting offsets are for the first start; to start over, reset the checkpoint or name " +
        "another group",
    );
  }

  /** Shares the partitions with the group; resolves with the first assignment, or at the end. */
  async #join(begin: (partition: number, membership?: Membership) => void): Promise<void> {
    const { topic, group, name } = this.spec;
    const { log, metrics, clock, report, sessionTimeoutMs } = this.#parts;
    const { signal } = this.#ending;
    const first = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => first.resolve(), { once: true });
    const assigned = this.#assigned;
    const onAssignment = async ({ partitions, membership }: Assignment) => {
      if (signal.aborted) return;
      metrics.rebalances.inc({ query: name });
      const revoked = assigned.difference(new Set(partitions));
      for (const partition of partitions) {
        if (assigned.has(partition)) this.#lanes.get(partition)?.renew(membership);
        else begin(partition, membership);
        assigned.add(partition);
      }
      for (const partition of revoked) assigned.delete(partition);
      await Promise.all(
        Array.from(revoked, (partition) => this.#lanes.get(partition)?.end("move")),
      );
      first.resolve();
    };
    const onError = (error: unknown) => report(`Group ${group}: ${messageOf(error)}`);
    const join = async () => {
      const member = await log.joinGroup({
        group,
        topic,
        ...given({ sessionTimeoutMs }),
        onAssignment,
        onError,
      });
      // After a stop meanwhile it must not keep partitions.
      if (signal.aborted) await member.leave();
      else this.#member = member;
    };
    const delays = { minDelayMs: 100, maxDelayMs: 5000 };
    await retry(join, { clock, signal, ...delays, onRetry: onError });
    await first.promise;
  }

  end(mode: StopMode): Promise<void> {
    return this.#end ??= this.#endAll(mode);
  }

  async #endAll(mode: StopMode): Promise<void> {
    this.#ending.abort(new Error(`Query ${this.spec.name} stops`));
    await Promise.all(this.lanes.map((lane) => lane.end(mode)));
    await this.#member?.leave();
    this.#parts.executors.unload(this.spec);
  }

  /**
   * Whether it is behind on a partition of another member of its group: partitions of one that dies
   * come to the others when its session times out. One that died after its last commit may have left
   * outputs that are not visible yet: the next owner of its partitions finishes them.
   *
   * @param done whether this runtime has finished the partition
   * @param mostMs how long to wait for the other members
   */
  async othersBehind(
    done: (query: string, partition: number) => boolean,
    mostMs: number,
  ): Promise<boolean> {
    const { name: query } = this.spec;
    const others = [...this.#ends.keys()]
      .filter((partition) => this.#ends[partition] !== 0 && !done(query, partition));
    if (others.length === 0) return false;
    const known = await this.#checkpoints();
    const isBehind = (partition: number) =>
      (known.find((one) => one.partition === partition)?.committed?.end ?? 0) <
        this.#ends[partition]!;
    if (others.some(isBehind)) return true;
    const checked = this.#member?.checkOthers();
    if (checked !== undefined) await waitAtMost(mostMs, checked, this.#parts.clock);
    return others.some((partition) => this.#assigned.has(partition));
  }

  async #noteEnds(): Promise<void> {
    const { topic } = this.spec;
    const ends = await Promise.all(
      Array.from(
        { length: this.#count ?? 0 },
        (_, partition) => this.#parts.log.offsets(topic, partition),
      ),
    );
    this.#ends = ends.map(({ latest }) => latest);
  }
}

/**
 * @param all checkpoints of the query, before it has left one in this run
 * @param named partitions that were named: they begin where the query says
 * @param count partitions that its topic has
 * @returns whether a partition was created after the query had begun, here or in an earlier run: one that
 * was there begins where the query says, even if an earlier run ended before it began there.
 */
export function foundLater(
  all: readonly CheckpointInfo[],
  named: readonly number[] | undefined,
  count: number,
): (partition: number) => boolean {
  if (named !== undefined) return () => false;
  const known = new Set(all.map(({ partition }) => partition));
  // Older versions did not note how many there were.
  const atFirst = Math.min(
    ...all.map(({ committed }) => committed === undefined ? Infinity : committed.partitions ?? 0),
  );
  return (partition) => partition >= count || partition >= atFirst && !known.has(partition);
}
