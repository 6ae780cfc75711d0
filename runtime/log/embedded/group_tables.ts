// Groups in the database: members, and the target and holder of each partition.
import { assignPartitions } from "../assign_partitions.ts";
import type { Membership } from "../log.ts";
import type { Database } from "./database.ts";
import type { Topics } from "./topics.ts";

export interface MemberRow {
  readonly member: string;
  readonly beat: number;
  readonly sessionMs: number;
}

export interface Claim {
  readonly partition: number;
  readonly target: string | null;
  /** The current owner, until it releases the partition. */
  readonly holder: string | null;
}

/** A group at one moment. */
export interface GroupView {
  readonly generation: number;
  readonly members: readonly MemberRow[];
  readonly claims: readonly Claim[];
  /** Partitions of the topic; new ones have no claim yet. */
  readonly partitions: number;
}

/** The rows of one group. Methods are synchronous: call them within `read` or `write`. */
export class GroupTables {
  readonly #db: Database;
  readonly #topics: Topics;
  readonly #group: string;
  readonly #topic: string;

  constructor(db: Database, topics: Topics, group: string, topic: string) {
    this.#db = db;
    this.#topics = topics;
    this.#group = group;
    this.#topic = topic;
  }

  view(): GroupView {
    const partitions = this.#topics.partitionCount(this.#topic);
    const group = this.#row();
    if (group === undefined) return { generation: 0, members: [], claims: [], partitions };
    const [id, generation] = group;
    return {
      generation,
      partitions,
      members: this.#db.all<[string, number, number]>(
        "SELECT member, beat, session_ms FROM members WHERE grp = ? ORDER BY joined, member",
        id,
      ).map(([member, beat, sessionMs]) => ({ member, beat, sessionMs })),
      claims: this.#db.all<[number, string | null, string | null]>(
        "SELECT partition, target, holder FROM claims WHERE grp = ? ORDER BY partition",
        id,
      ).map(([partition, target, holder]) => ({ partition, target, holder })),
    };
  }

  /** Within a transaction: adds the member and reassigns the partitions. */
  join(member: string, sessionMs: number): void {
    this.#db.run(
      "INSERT INTO groups (name, topic, generation) VALUES (?, ?, 0) ON CONFLICT DO NOTHING",
      this.#group,
      this.#topic,
    );
    const id = this.#id();
    this.#db.run(
      `INSERT INTO members SELECT ?, ?, coalesce(max(joined), 0) + 1, 0, ? FROM members WHERE grp = ?`,
      ...[id, member, sessionMs, id],
    );
    this.share();
  }

  beat(member: string): void {
    this.#db.run(
      "UPDATE members SET beat = beat + 1 WHERE grp = ? AND member = ?",
      this.#id(),
      member,
    );
  }

  /**
   * Within a transaction: removes a member, frees its partitions and reassigns them.
   *
   * @param beat only if its heartbeat is still this one
   */
  remove(member: string, beat?: number): void {
    const id = this.#id();
    const removed = this.#db.run(
      "DELETE FROM members WHERE grp = ? AND member = ? AND (?3 IS NULL OR beat = ?3)",
      ...[id, member, beat ?? null],
    ) > 0;
    if (!removed) return;
    this.#db.run("UPDATE claims SET holder = NULL WHERE grp = ? AND holder = ?", id, member);
    this.share();
  }

  /** Within a transaction: assigns the partitions to the members, in a new generation. */
  share(): void {
    const id = this.#id();
    this.#removeInvalid(id);
    const { members, claims, partitions } = this.view();
    const before: (string | null)[] = Array(partitions).fill(null);
    for (const { partition, target } of claims) before[partition] = target;
    const owners = assignPartitions(partitions, members.map(({ member }) => member), before);
    this.#db.run("UPDATE groups SET generation = generation + 1 WHERE id = ?", id);
    before.forEach((target, partition) => {
      const owner = owners[partition] ?? null;
      if (owner === target && partition < claims.length) return;
      this.#db.run(
        `INSERT INTO claims VALUES (?, ?, ?, NULL, 0)
         ON CONFLICT (grp, partition) DO UPDATE SET target = excluded.target`,
        ...[id, partition, owner],
      );
    });
  }

  /** Rows of a damaged file must not keep a partition without end. */
  #removeInvalid(id: number): void {
    this.#db.run(
      "DELETE FROM claims WHERE grp = ? AND partition NOT BETWEEN 0 AND ?",
      id,
      this.#topics.partitionCount(this.#topic) - 1,
    );
    this.#db.run(
      `UPDATE claims SET holder = NULL
       WHERE grp = ?1 AND holder NOT IN (SELECT member FROM members WHERE grp = ?1)`,
      id,
    );
  }

  /** Within a transaction: the member takes its free partitions. */
  take(member: string): void {
    const [id, generation] = this.#row()!;
    this.#db.run(
      "UPDATE claims SET holder = target, generation = ? WHERE grp = ? AND target = ? AND holder IS NULL",
      ...[generation, id, member],
    );
  }

  /** Within a transaction: the member releases those of `partitions` that another is to own. */
  release(member: string, partitions: readonly number[]): void {
    const id = this.#id();
    for (const partition of partitions) {
      this.#db.run(
        `UPDATE claims SET holder = NULL
         WHERE grp = ? AND partition = ? AND holder = ?3 AND target IS NOT ?3`,
        ...[id, partition, member],
      );
    }
  }

  /** Whether the member holds the partition; without one, whether any does. */
  holds(partition: number, { memberId, generation }: Partial<Membership> = {}): boolean {
    return this.#db.get(
      `SELECT 1 FROM claims WHERE grp = ? AND partition = ? AND holder = coalesce(?, holder)
       AND generation <= coalesce(?, generation)`,
      ...[this.#row()?.[0] ?? null, partition, memberId ?? null, generation ?? null],
    ) !== undefined;
  }

  #row(): [number, number] | undefined {
    return this.#db.get<[number, number]>(
      "SELECT id, generation FROM groups WHERE name = ? AND topic = ?",
      this.#group,
      this.#topic,
    );
  }

  #id(): number {
    return this.#row()![0];
  }
}
