// Membership in a consumer group, by Kafka's classic protocol.
//
// A member goes round: join, get partitions, hand them to the runtime, stay. A member that loses a
// partition stops its queries first and joins again then: no partition has two owners.
// Heartbeats have a timer of their own and continue while queries stop.
import { systemClock } from "../../../base/clock.ts";
import { type GroupMember, type GroupOptions, LogError, SESSION_TIMEOUT_MS } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import { isRepeatable, toLogError } from "../net/failures.ts";
import { GroupRequests, groupStepOf, type Joined, memberIdIn } from "./requests.ts";

/** How soon a member hears of a rebalance. */
const HEARTBEAT_MS = 500;
/** How soon the leader hears of new partitions. */
const GROWTH_CHECK_MS = 1_000;
const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 1_000;
let members = 0;

/** Why a member leaves the state of staying. */
type Reason = "rebalance" | "expelled" | "left";

/** `GroupMember` on Kafka. */
export class KafkaMember implements GroupMember {
  readonly #cluster: Cluster;
  readonly #options: GroupOptions;
  readonly #sessionTimeoutMs: number;
  readonly #requests: GroupRequests;
  readonly #channel = `group-${++members}-`;
  readonly #left = new AbortController();
  #memberId = "";
  #generation = -1;
  /** What the runtime works on. */
  #owned: readonly number[] = [];
  #heartbeats: ReturnType<typeof setTimeout> | undefined;
  /** Set when the group waits for this member. */
  #call: Reason | undefined;
  #called: (() => void) | undefined;
  #inTrouble = false;
  #leaving: Promise<void> | undefined;

  private constructor(
    cluster: Cluster,
    options: GroupOptions,
  ) {
    const { sessionTimeoutMs = SESSION_TIMEOUT_MS } = options;
    if (!(sessionTimeoutMs >= 100)) {
      throw new LogError(
        "INVALID",
        `Cannot join group ${options.group} with a session timeout of ${sessionTimeoutMs} ms: expected 100 or more`,
      );
    }
    this.#cluster = cluster;
    this.#options = options;
    this.#sessionTimeoutMs = sessionTimeoutMs;
    this.#requests = new GroupRequests(cluster, options, this.#channel);
  }

  /** Resolves when the group's coordinator knows the member. */
  static async join(
    cluster: Cluster,
    options: GroupOptions,
  ): Promise<KafkaMember> {
    const member = new KafkaMember(cluster, options);
    const { memberId, joined } = await cluster.attempt(
      member.#action,
      (signal) => member.#introduce(signal),
    );
    member.#memberId = memberId;
    // No member joins without an id; a coordinator that lets one in has joined it.
    if (joined) member.#call = "rebalance";
    cluster.opened.add(member);
    member.#run();
    return member;
  }

  get memberId(): string {
    return this.#memberId;
  }

  get #action(): string {
    return `Cannot join group ${this.#options.group}`;
  }

  leave(): Promise<void> {
    return this.#leaving ??= this.#leave();
  }

  close(): Promise<void> {
    return this.leave();
  }

  async #leave(): Promise<void> {
    this.#left.abort();
    clearTimeout(this.#heartbeats);
    this.#callBack("left");
    try {
      await this.#cluster.connections.drop(this.#channel);
      await this.#cluster.attempt(
        `Cannot leave group ${this.#options.group}`,
        (signal) => this.#requests.leave(this.#memberId, signal),
      );
    } catch (error) {
      // Expelled already, or the log is away: then the session's end says the same.
      if (!(error instanceof LogError)) throw error;
    } finally {
      this.#cluster.opened.delete(this);
    }
  }

  get #isLeft(): boolean {
    return this.#left.signal.aborted;
  }

  /** Gets a member id. */
  async #introduce(signal: AbortSignal): Promise<{ memberId: string; joined: boolean }> {
    try {
      return { memberId: (await this.#join(signal)).memberId, joined: true };
    } catch (error) {
      if (groupStepOf(error) !== "join-with-id") throw error;
      return { memberId: memberIdIn(error), joined: false };
    }
  }

  #join(signal: AbortSignal): Promise<Joined> {
    const member = { memberId: this.#memberId, generation: this.#generation };
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
        // A round that fails again and again is reported, whatever the coordinator calls it.
        if (delay === MAX_DELAY_MS) this.#report(error);
        await this.#recover(error);
        // It has left: the loop ends.
        await systemClock.sleep(delay, this.#left.signal).catch(() => {});
        delay = Math.min(2 * delay, MAX_DELAY_MS);
      }
    }
  }

  /**
   * Join, share, hand over.
   *
   * @returns the partition counts that were shared out, when this member leads the group.
   */
  async #round(): Promise<ReadonlyMap<string, number> | undefined> {
    this.#stopHeartbeats();
    const signal = this.#left.signal;
    const joined = await this.#join(signal);
    if (this.#isLeft) return undefined;
    this.#memberId = joined.memberId;
    const counts = joined.claims === undefined ? undefined : await this.#counts(joined);
    const partitions = await this.#requests.sync(joined, counts, signal);
    if (this.#isLeft) return undefined;
    this.#generation = joined.generation;
    this.#inTrouble = false;
    this.#startHeartbeats();
    const lost = this.#owned.filter((partition) => !partitions.includes(partition));
    await this.#handOver(partitions);
    this.#owned = partitions;
    if (lost.length > 0) this.#callBack("rebalance");
    return counts;
  }

  async #counts({ claims }: Joined): Promise<ReadonlyMap<string, number>> {
    const topics = [...new Set(claims!.flatMap((claim) => claim.topics))];
    const counts = await Promise.all(topics.map(async (topic) => {
      const metadata = await this.#cluster.topic(topic, this.#left.signal, true);
      return [topic, metadata?.leaders.length ?? 0] as const;
    }));
    return new Map(counts);
  }

  /** Tells the runtime what is its own now, and waits until it has released the rest. */
  async #handOver(partitions: readonly number[]): Promise<void> {
    const membership = { memberId: this.#memberId, generation: this.#generation };
    try {
      await this.#options.onAssignment({ partitions, membership });
    } catch (error) {
      this.#options.onError?.(
        new LogError(
          "INTERNAL",
          `Cannot take over partitions ${partitions.join(", ")} of ${this.#options.topic}: ${
            (error as Error).message
          }`,
          { cause: error },
        ),
      );
    }
  }

  /** Waits until the group wants this member to join again. */
  async #stay(counts: ReadonlyMap<string, number> | undefined): Promise<void> {
    const growth = counts === undefined ? undefined : setInterval(async () => {
      if (await this.#hasGrown(counts)) this.#callBack("rebalance");
    }, GROWTH_CHECK_MS);
    try {
      while (this.#call === undefined) {
        await new Promise<void>((resolve) => this.#called = resolve);
      }
      const reason = this.#call;
      this.#call = undefined;
      if (reason === "expelled") await this.#expelled();
    } finally {
      clearInterval(growth);
    }
  }

  async #hasGrown(counts: ReadonlyMap<string, number>): Promise<boolean> {
    try {
      for (const [topic, count] of counts) {
        const metadata = await this.#cluster.topic(topic, this.#left.signal, true);
        if (metadata !== undefined && metadata.leaders.length !== count) return true;
      }
    } catch (error) {
      // The next look will tell; that the log is away is reported by the heartbeats.
      const over = this.#isLeft || this.#cluster.closing.aborted;
      if (!over && !isRepeatable(error)) this.#report(error);
    }
    return false;
  }

  #callBack(reason: Reason): void {
    if (this.#call !== "left" && this.#call !== "expelled") this.#call = reason;
    this.#called?.();
  }

  #startHeartbeats(): void {
    const every = Math.min(HEARTBEAT_MS, this.#sessionTimeoutMs / 3);
    const beat = async () => {
      await this.#beat();
      if (this.#heartbeats === timer && !this.#isLeft) {
        timer = this.#heartbeats = setTimeout(beat, every);
      }
    };
    let timer = this.#heartbeats = setTimeout(beat, every);
  }

  #stopHeartbeats(): void {
    clearTimeout(this.#heartbeats);
    this.#heartbeats = undefined;
  }

  async #beat(): Promise<void> {
    const generation = this.#generation;
    try {
      await this.#requests.heartbeat(this.#memberId, generation, this.#left.signal);
      this.#inTrouble = false;
    } catch (error) {
      if (this.#isLeft || generation !== this.#generation) return;
      const step = groupStepOf(error);
      if (step === "join-as-new") this.#callBack("expelled");
      else if (step === "rejoin") this.#callBack("rebalance");
      else this.#report(error);
    }
  }

  /** What to do before joining again after an error. */
  async #recover(error: unknown): Promise<void> {
    const step = groupStepOf(error);
    if (step === "join-with-id") this.#memberId = memberIdIn(error);
    else if (step === "join-as-new") await this.#expelled();
    else if (step === undefined) this.#report(error);
  }

  /** The group continued without this member: what it had belongs to others. */
  async #expelled(): Promise<void> {
    this.#report(
      new LogError(
        "FENCED",
        `Cannot stay in group ${this.#options.group}: it continued without this member`,
        { retryable: true },
      ),
    );
    this.#stopHeartbeats();
    if (this.#owned.length > 0) await this.#handOver([]);
    this.#owned = [];
    this.#memberId = "";
    this.#generation = -1;
  }

  /** Tells about trouble, once until it is over. */
  #report(error: unknown): void {
    if (isRepeatable(error)) this.#cluster.forgetPlaces();
    if (this.#inTrouble) return;
    this.#inTrouble = true;
    const action = `Cannot keep up membership of group ${this.#options.group}`;
    this.#options.onError?.(toLogError(error, action, this.#cluster.where));
  }
}
