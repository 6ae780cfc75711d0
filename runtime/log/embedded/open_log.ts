// Opens and closes the parts of a log.
import type { Clock } from "../../base/clock.ts";
import { Appender } from "./appender.ts";
import { ArrivalClock } from "./arrivals.ts";
import { ChangeWatcher } from "./changes.ts";
import { Checkpoints } from "./checkpoints.ts";
import { Database } from "./database.ts";
import { storageError } from "./errors.ts";
import { Keeper, type Warnings } from "./keeper.ts";
import { Presence } from "./presence.ts";
import { type Closers, Records } from "./records.ts";
import { SegmentWriter } from "./segment_writer.ts";
import { Topics } from "./topics.ts";
import type { EmbeddedUrl } from "./url.ts";
import type { Waiting } from "./waiting.ts";

export interface OpenLog {
  readonly dir: string;
  readonly db: Database;
  readonly topics: Topics;
  readonly records: Records;
  readonly segments: SegmentWriter;
  readonly checkpoints: Checkpoints;
  readonly changes: ChangeWatcher;
  readonly appender: Appender;
  readonly keeper: Keeper;
  readonly presence: Presence;
  readonly clock: Clock;
  /** Producers, readers, group members and committers, which end with the log. */
  readonly opened: Closers;
}

export async function openParts(
  place: EmbeddedUrl,
  waiting: Waiting,
  warnings: Warnings,
): Promise<OpenLog> {
  const { dir } = place;
  const { clock } = waiting;
  const db = await Database.open(dir, waiting, warnings.tell);
  let presence: Presence | undefined;
  try {
    presence = await Presence.show(dir);
    const { ended } = await Presence.look(dir);
    const members = db.all<[string]>("SELECT member FROM members").map(([id]) => id.split("/")[0]);
    // The others learn from its file that a member's process has ended.
    await Presence.forget(dir, ended.filter((id) => !members.includes(id)));
    const records = new Records(db);
    const arrivals = new ArrivalClock(clock, records.newest(), warnings.upkeep);
    const now = () => arrivals.now();
    const topics = new Topics(db, now);
    const segments = new SegmentWriter(dir, db, topics, now, () => clock.now());
    const keeper = new Keeper({ dir, db, topics, records, segments, arrivals, clock, warnings });
    await keeper.start();
    const changes = new ChangeWatcher(db, topics);
    const appender = new Appender({ db, topics, records, segments, changes, now, place });
    const checkpoints = new Checkpoints(db);
    const parts = { dir, db, topics, records, segments, checkpoints, changes, appender, keeper };
    return { ...parts, presence, clock, opened: new Set() };
  } catch (error) {
    await presence?.end();
    await db.close();
    throw storageError(error, `open the embedded log in ${dir}`, dir);
  }
}

export async function closeParts(
  { appender, changes, keeper, segments, db, presence }: OpenLog,
): Promise<void> {
  await appender.idle();
  changes.stop();
  await keeper.stop();
  try {
    await segments.seal(true);
  } catch {
    // Full, locked or deleted: the next process that opens the log seals the rest.
  }
  segments.close();
  await db.close();
  await presence.end();
}
