// Membership in a group: heartbeats, silent members, handing partitions over.
//
// A member whose process has ended is removed at once: its id begins with that of its log's presence.
// One whose process is stopped or blocked is removed after its session time-out. Time is never stored,
// only counters: each member measures with its monotonic clock how long a heartbeat has stood still.
// So a wall clock that jumps expels no member.
import { pause } from "../../base/wait.ts";
import { checkWhole } from "../checks.ts";
import { type GroupMember, type GroupOptions, LogError, SESSION_TIMEOUT_MS } from "../log.ts";
import { GroupTables, type GroupView, type MemberRow } from "./group_tables.ts";
import type { OpenLog } from "./open_log.ts";
import { isPresent } from "./presence.ts";

/** Interval of looks at the group: while it changes, and otherwise. */
const [changingTickMs, calmTickMs] = [50, 250];
const minSessionTimeoutMs = 300;

/** A member; make it with `join`. */
export class EmbeddedGroupMember implements GroupMember {
  readonly memberId: string;
  readonly #parts: OpenLog;
  readonly #options: GroupOptions;
  readonly #sessionMs: number;
  readonly #tables: GroupTables;
  readonly #stop = new AbortController();
  #observed = new Map<string, { beat: number; silentMs: number }>();
  #lastBeat = -Infinity;
  #lastTick: number;
  /** The last announced list; undefined before the first. */
  #announced: readonly number[] | undefined;
  #announcing: { readonly partitions: readonly number[]; readonly since: number } | undefined;
  #expelled = false;
  #ticking: Promise<void> = Promise.resolve();
  #leaving: Promise<void> | undefined;
  #ticks = 0;
  /** The last look at which no partition moved. */
  #lastCalm = { tick: 0, members: [] as GroupView["members"] };
  /** Of the group, at the last beat. */
  #generation = -1;

  private constructor(parts: OpenLog, options: GroupOptions) {
    const { sessionTimeoutMs = SESSION_TIMEOUT_MS } = options;
    checkWhole(
      `Cannot join group ${options.group} with a session timeout of ${sessionTimeoutMs} ms`,
      sessionTimeoutMs,
      minSessionTimeoutMs,
    );
    this.memberId = `${parts.presence.id}/${crypto.randomUUID()}`;
    this.#parts = parts;
    this.#options = options;
    this.#sessionMs = sessionTimeoutMs;
    this.#tables = new GroupTables(parts.db, parts.topics, options.group, options.topic);
    this.#lastTick = parts.clock.monotonic();
  }

  static async join(parts: OpenLog, options: GroupOptions): Promise<EmbeddedGroupMember> {
    const member = new EmbeddedGroupMember(parts, options);
    await member.#join();
    parts.opened.add(member);
    member.#ticking = member.#run();
    return member;
  }

  leave(): Promise<void> {
    return this.#leaving ??= this.#leave();
  }

  close(): Promise<void> {
    return this.leave();
  }

  /** Begins a generation: members that live beat at their next look. */
  async checkOthers(): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return;
    const before = this.#ticks;
    const { members } = await this.#parts.db.write(this.#action("check"), () => {
      this.#tables.share();
      return this.#tables.view();
    });
    const isSilent = ({ member, beat }: MemberRow) =>
      member !== this.memberId &&
      this.#lastCalm.members.some((one) => one.member === member && one.beat === beat);
    while (this.#lastCalm.tick <= before || members.some(isSilent)) {
      if (!await pause(changingTickMs, signal, this.#parts.clock)) return;
    }
  }

  async #leave(): Promise<void> {
    this.#stop.abort();
    await this.#ticking;
    await this.#parts.db.write(this.#action("leave"), () => this.#tables.remove(this.memberId))
      .catch(() => {/* The log is locked or deleted: the session times out. */});
    this.#parts.opened.delete(this);
  }

  #action(verb: string): string {
    return `${verb} group ${this.#options.group}`;
  }

  async #join(): Promise<void> {
    await this.#parts.db.write(this.#action("join"), () => {
      this.#tables.join(this.memberId, this.#sessionMs);
      this.#tables.take(this.memberId);
    });
    this.#lastBeat = this.#parts.clock.monotonic();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        this.#ticks++;
        const calm = await this.#tick();
        if (calm !== undefined) this.#lastCalm = { tick: this.#ticks, members: calm.members };
        const delay = calm !== undefined
          ? Math.min(calmTickMs, this.#sessionMs / 6)
          : changingTickMs;
        await this.#parts.clock.sleep(Math.max(changingTickMs, delay), signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#report(error);
        // The group no longer exists.
        if (error instanceof LogError && error.code === "DELETED") return;
        await this.#parts.clock.sleep(1_000, signal).catch(() => {/* Leaving ends the loop. */});
      }
    }
  }

  /** Looks at the group, updates it, announces our partitions; returns what it saw if no partition moves. */
  async #tick(): Promise<GroupView | undefined> {
    const { db, clock } = this.#parts;
    const now = clock.monotonic();
    const elapsed = now - this.#lastTick;
    this.#lastTick = now;
    let view = await db.read(this.#action("watch"), () => this.#tables.view());
    if (!view.members.some(({ member }) => member === this.memberId)) {
      await this.#rejoin(view);
      return undefined;
    }
    const gone = await this.#goneMembers(view, elapsed);
    const { generation } = view;
    const beat = now - this.#lastBeat >= this.#sessionMs / 3 || generation !== this.#generation;
    const canTake = view.claims.some(({ target, holder }) =>
      target === this.memberId && holder === null
    );
    const grown = view.claims.length < view.partitions;
    const releases = this.#releasable(view, now);
    if (gone.length > 0 || beat || canTake || grown || releases.length > 0) {
      view = await db.write(this.#action("update"), () => {
        if (beat) this.#tables.beat(this.memberId);
        for (const { member, beat } of gone) this.#tables.remove(member, beat);
        if (grown) this.#tables.share();
        this.#tables.release(this.memberId, releases);
        this.#tables.take(this.memberId);
        return this.#tables.view();
      });
      if (beat) [this.#lastBeat, this.#generation] = [now, generation];
    }
    if (view.members.some(({ member }) => member === this.memberId)) this.#announce(view);
    const calm = this.#announcing === undefined &&
      view.claims.every(({ target, holder }) => target === holder);
    return calm ? view : undefined;
  }

  /** Members whose process has ended, and those that were silent for a session time-out. */
  async #goneMembers(
    view: GroupView,
    elapsed: number,
  ): Promise<{ member: string; beat: number }[]> {
    const gone: { member: string; beat: number }[] = [];
    const before = this.#observed;
    this.#observed = new Map();
    for (const { member, beat, sessionMs } of view.members) {
      if (member === this.memberId) continue;
      const seen = before.get(member);
      // A member that was stopped must not take its own absence for the others' silence.
      const silentMs = seen?.beat === beat ? seen.silentMs + Math.min(elapsed, sessionMs / 3) : 0;
      this.#observed.set(member, { beat, silentMs });
      const [process, own] = member.split("/");
      // Without its file, or if that cannot be opened, silence alone decides.
      const present = own && await isPresent(this.#parts.dir, process!).catch(() => undefined);
      if (present === false || silentMs > sessionMs) gone.push({ member, beat });
    }
    return gone;
  }

  /**
   * Partitions that we hold, that another is to own, and that the last announced list lacks. The
   * new owner waits for us for a session timeout at most; then epochs of checkpoints keep us out.
   */
  #releasable(view: GroupView, now: number): number[] {
    const announcing = this.#announcing;
    const overdue = announcing !== undefined && now - announcing.since > this.#sessionMs;
    const kept = overdue
      ? announcing.partitions
      : announcing === undefined
      ? this.#announced
      : undefined;
    if (kept === undefined) return [];
    return view.claims
      .filter(({ target, holder, partition }) =>
        holder === this.memberId && target !== this.memberId && !kept.includes(partition)
      )
      .map(({ partition }) => partition);
  }

  /** Others took us for dead: announces that nothing is ours, then joins again. */
  async #rejoin(view: GroupView): Promise<void> {
    if (!this.#expelled) {
      this.#expelled = true;
      this.#report(
        new LogError(
          "FENCED",
          `Cannot stay in group ${this.#options.group}: this member was silent for more than ` +
            `${this.#sessionMs} ms and lost its partitions; it rejoins`,
        ),
      );
    }
    if (this.#announcing !== undefined) return;
    if (this.#announced !== undefined && this.#announced.length > 0) {
      this.#call(view.generation, []);
      return;
    }
    this.#observed.clear();
    await this.#join();
    this.#expelled = false;
  }

  #announce(view: GroupView): void {
    if (this.#announcing !== undefined) return;
    const mine = view.claims
      .filter(({ target, holder }) => target === this.memberId && holder === this.memberId)
      .map(({ partition }) => partition);
    const before = this.#announced;
    if (before?.length === mine.length && mine.every((partition, i) => partition === before[i])) {
      return;
    }
    this.#call(view.generation, mine);
  }

  #call(generation: number, partitions: readonly number[]): void {
    const membership = { memberId: this.memberId, generation };
    this.#announcing = { partitions, since: this.#parts.clock.monotonic() };
    Promise.resolve()
      .then(() => this.#options.onAssignment({ partitions, membership }))
      .catch((error) => this.#report(error))
      .finally(() => {
        this.#announced = partitions;
        this.#announcing = undefined;
      });
  }

  #report(error: unknown): void {
    this.#options.onError?.(
      error instanceof LogError
        ? error
        : new LogError("INTERNAL", `Cannot ${this.#action("follow")}: ${error}`, { cause: error }),
    );
  }
}
