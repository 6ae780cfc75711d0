// Membership in a consumer group, by Kafka's classic protocol.
//
// A member joins, gets its assignment, hands it to the runtime, and stays until the next rebalance. If it
// loses a partition, it first stops its queries and then joins again: no partition has two owners.
// Heartbeats continue meanwhile.
import { messageOf } from "../../../base/errors.ts";
import { Notifier, pause } from "../../../base/wait.ts";
import { checkWhole } from "../../checks.ts";
import { type GroupMember, type GroupOptions, LogError, SESSION_TIMEOUT_MS } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import { isRepeatable, outcomeOf, toLogError } from "../net/failures.ts";
import { GroupRequests, type Joined, memberIdIn } from "./requests.ts";

/** Rebalances are noticed at heartbeats. */
const HEARTBEAT_MS = 500;
/** How often the group's leader looks for new partitions. */
const GROWTH_CHECK_MS = 1_000;
const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 1_000;
let members = 0;

/** Why a member joins again or ends. */
type Reason = "rebalance" | "expelled" | "left";

export class KafkaMember implements GroupMember {
  readonly #cluster: Cluster;
  readonly #options: GroupOptions;
  readonly #sessionTimeoutMs: number;
  readonly #requests: GroupRequests;
  readonly #channel = `group-${++members}-`;
  readonly #left = new AbortController();
  memberId = "";
  #generation = -1;
  /** Partitions that the runtime has not released. */
  #owned: readonly number[] = [];
  #heartbeats = new AbortController();
  #reason: Reason | undefined;
  readonly #changes = new Notifier();
  #inTrouble = false;
  #leaving: Promise<void> | undefined;
  #roundsBegun = 0;
  /** Number of the last round that has ended well. */
  #roundDone = 0;

  private constructor(cluster: Cluster, options: GroupOptions) {
    const { sessionTimeoutMs = SESSION_TIMEOUT_MS } = options;
    checkWhole(
      `Cannot join group ${options.group} with a session timeout of ${sessionTimeoutMs} ms`,
      sessionTimeoutMs,
      100,
    );
    this.#cluster = cluster;
    this.#options = options;
    this.#sessionTimeoutMs = sessionTimeoutMs;
    this.#requests = new GroupRequests(cluster, { ...options, sessionTimeoutMs }, this.#channel);
  }

  /** Resolves when the member has an id. */
  static async join(cluster: Cluster, options: GroupOptions): Promise<KafkaMember> {
    const member = new KafkaMember(cluster, options);
    member.memberId = await cluster.attempt(
      `Cannot join group ${options.group}`,
      (signal) => member.#requestId(signal),
    );
    cluster.opened.add(member);
    member.#run();
    return member;
  }

  leave(): Promise<void> {
    return this.#leaving ??= this.#leave();
  }

  close(): Promise<void> {
    return this.leave();
  }

  /** Rebalances the group: a member that has died does not join again. */
  async checkOthers(): Promise<void> {
    const round = this.#roundsBegun + 1;
    this.#end("rebalance");
    while (this.#roundDone < round && !this.#isLeft) await this.#changes.wait();
  }

  async #leave(): Promise<void> {
    this.#left.abort();
    this.#heartbeats.abort();
    this.#end("left");
    try {
      await this.#cluster.connections.drop(this.#channel);
      await this.#cluster.attempt(
        `Cannot leave group ${this.#options.group}`,
        (signal) => this.#requests.leave(this.memberId, signal),
      );
    } catch (error) {
      // Expelled already, or the log is unreachable: then the session times out.
      if (!(error instanceof LogError)) throw error;
    } finally {
      this.#cluster.opened.delete(this);
    }
  }

  get #isLeft(): boolean {
    return this.#left.signal.aborted;
  }

  /** Coordinators reject the first request with an id for the member. */
  async #requestId(signal: AbortSignal): Promise<string> {
    try {
      // Before JoinGroup 4 this request joins the group already.
      return (await this.#join(signal)).memberId;
    } catch (error) {
      if (outcomeOf(error) !== "join-with-id") throw error;
      return memberIdIn(error);
    }
  }

  #join(signal: AbortSignal): Promise<Joined> {
    const member = { memberId: this.memberId, generation: this.#generation };
    return this.#requests.join(member, this.#owned, signal);
  }

  async #run(): Promise<void> {
    let delay = FIRST_DELAY_MS;
    while (!this.#isLeft) {
      try {
        const counts = await this.#round();
        delay = FIRST_DELAY_MS;
        if (!this.#isLeft) await this.#stay(counts);
      } catch (error) {
        if (this.#isLeft || this.#cluster.closing.aborted) return;
        // Any error is reported if it repeats.
        if (delay === MAX_DELAY_MS) this.#report(error);
        await this.#recover(error);
        await pause(delay, this.#left.signal);
        delay = Math.min(2 * delay, MAX_DELAY_MS);
      }
    }
  }

  /** @returns the partition counts that were assigned, if this member leads the group */
  async #round(): Promise<ReadonlyMap<string, number> | undefined> {
    this.#heartbeats.abort();
    const number = ++this.#roundsBegun;
    const signal = this.#left.signal;
    const joined = await this.#join(signal);
    if (this.#isLeft) return undefined;
    this.memberId = joined.memberId;
    const counts = joined.claims &&
      await this.#counts(new Set(joined.claims.flatMap((claim) => claim.topics)));
    const partitions = await this.#requests.sync(joined, counts, signal);
    if (this.#isLeft) return undefined;
    this.#generation = joined.generation;
    this.#inTrouble = false;
    void this.#keepAlive();
    const lost = this.#owned.filter((partition) => !partitions.includes(partition));
    await this.#handOver(partitions);
    this.#owned = partitions;
    this.#roundDone = number;
    this.#changes.notify();
    if (lost.length > 0) this.#end("rebalance");
    return counts;
  }

  /** Numbers of partitions. */
  async #counts(topics: Iterable<string>): Promise<ReadonlyMap<string, number>> {
    const counts = await Promise.all([...topics].map(async (topic) => {
      const metadata = await this.#cluster.topic(topic, this.#left.signal, true);
      return [topic, metadata?.leaders.length ?? 0] as const;
    }));
    return new Map(counts);
  }

  /** Waits until the runtime has released its other partitions. */
  async #handOver(partitions: readonly number[]): Promise<void> {
    const membership = { memberId: this.memberId, generation: this.#generation };
    try {
      await this.#options.onAssignment({ partitions, membership });
    } catch (error) {
      this.#options.onError?.(
        new LogError(
          "INTERNAL",
          `Cannot take over partitions ${partitions.join(", ")} of ${this.#options.topic}: ${
            messageOf(error)
          }`,
          { cause: error },
        ),
      );
    }
  }

  /** Waits until the member must join again or has left. */
  async #stay(counts: ReadonlyMap<string, number> | undefined): Promise<void> {
    const growth = counts === undefined ? undefined : setInterval(async () => {
      if (await this.#hasGrown(counts)) this.#end("rebalance");
    }, GROWTH_CHECK_MS);
    try {
      while (this.#reason === undefined) await this.#changes.wait();
      const reason = this.#reason;
      this.#reason = undefined;
      if (reason === "expelled") await this.#expelled();
    } finally {
      clearInterval(growth);
    }
  }

  async #hasGrown(counts: ReadonlyMap<string, number>): Promise<boolean> {
    try {
      const now = await this.#counts(counts.keys());
      // A topic without partitions may be one that is missing for a moment.
      return [...counts].some(([topic, count]) => ![0, count].includes(now.get(topic)!));
    } catch (error) {
      // Checked again; an unreachable log is reported by the heartbeats.
      const over = this.#isLeft || this.#cluster.closing.aborted;
      if (!over && !isRepeatable(error)) this.#report(error);
      return false;
    }
  }

  /** Ends `#stay`. */
  #end(reason: Reason): void {
    if (this.#reason !== "left" && this.#reason !== "expelled") this.#reason = reason;
    this.#changes.notify();
  }

  async #keepAlive(): Promise<void> {
    const every = Math.min(HEARTBEAT_MS, this.#sessionTimeoutMs / 3);
    const { signal } = this.#heartbeats = new AbortController();
    while (await pause(every, signal)) await this.#beat();
  }

  async #beat(): Promise<void> {
    const generation = this.#generation;
    try {
      await this.#requests.heartbeat(this.memberId, generation, this.#left.signal);
      this.#inTrouble = false;
    } catch (error) {
      if (this.#isLeft || generation !== this.#generation) return;
      const outcome = outcomeOf(error);
      if (outcome === "join-as-new") this.#end("expelled");
      else if (outcome === "rejoin") this.#end("rebalance");
      else this.#report(error);
    }
  }

  /** Prepares to join again after an error. */
  async #recover(error: unknown): Promise<void> {
    const outcome = outcomeOf(error);
    if (outcome === "join-with-id") this.memberId = memberIdIn(error);
    else if (outcome === "join-as-new") await this.#expelled();
    else if (outcome !== "rejoin") this.#report(error);
  }

  /** Its partitions belong to others now. */
  async #expelled(): Promise<void> {
    this.#report(
      new LogError(
        "FENCED",
        `Cannot stay in group ${this.#options.group}: it continued without this member`,
        { retryable: true },
      ),
    );
    this.#heartbeats.abort();
    if (this.#owned.length > 0) await this.#handOver([]);
    this.#owned = [];
    this.memberId = "";
    this.#generation = -1;
  }

  /** Reports the first of several errors in a row. */
  #report(error: unknown): void {
    if (isRepeatable(error)) this.#cluster.forgetLeaders();
    if (this.#inTrouble) return;
    this.#inTrouble = true;
    const action = `Cannot keep up membership of group ${this.#options.group}`;
    this.#options.onError?.(toLogError(error, action, this.#cluster.where));
  }
}
