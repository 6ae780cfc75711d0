/** Checkpoints for the tests of the embedded log. */
import { systemClock } from "../../../runtime/base/clock.ts";
import { Appender } from "../../../runtime/log/embedded/appender.ts";
import { ChangeWatcher } from "../../../runtime/log/embedded/changes.ts";
import { CheckpointStore } from "../../../runtime/log/embedded/checkpoint_store.ts";
import {
  type CheckpointEntries,
  type CheckpointParts,
} from "../../../runtime/log/embedded/checkpoint_takeover.ts";
import { EmbeddedCommitter } from "../../../runtime/log/embedded/committer.ts";
import { Database } from "../../../runtime/log/embedded/database.ts";
import { EmbeddedLog, type EmbeddedLogOptions } from "../../../runtime/log/embedded/log.ts";
import { Producers } from "../../../runtime/log/embedded/producers.ts";
import { Records } from "../../../runtime/log/embedded/records.ts";
import { Topics } from "../../../runtime/log/embedded/topics.ts";
import { defaultRetention } from "../../../runtime/log/embedded/url.ts";
import { type BatchCommitter } from "../../../runtime/log/log.ts";
import { record, text } from "../../contracts/log_contract_kit.ts";

export const options = { group: "g", query: "q", topic: "t", partition: 0, outputTopics: ["out"] };
export const batch = (batchId: number) => ({ batchId, start: batchId, end: batchId + 1 });
export const done = (batchId: number) => ({ end: batchId + 1, restart: batchId + 1 });
export const output = (value: string) => ({ topic: "out", partition: 0, ...record(value) });

export async function withLog<T>(
  dir: string,
  test: (log: EmbeddedLog) => Promise<T>,
  options?: EmbeddedLogOptions,
): Promise<T> {
  const log = new EmbeddedLog(`embedded:${dir}`, options);
  try {
    await log.createTopic("t", 2);
    return await test(log);
  } finally {
    await log.close();
  }
}

export async function run(committer: BatchCommitter, batchId: number, outputs: string[] = []) {
  await committer.plan(batch(batchId));
  await committer.commit(batch(batchId), done(batchId), outputs.map(output));
}

/** The parts of a log, so that a test may put its own store between. */
export async function withParts(
  dir: string,
  test: (parts: CheckpointParts, store: CheckpointStore) => Promise<void>,
): Promise<void> {
  const waiting = { clock: systemClock, timeoutMs: 5_000 };
  const db = await Database.open(dir, waiting);
  const [topics, records, producers] = [new Topics(db), new Records(db), new Producers(db)];
  const store = await CheckpointStore.open(dir, () => undefined, waiting);
  const [clock, retention] = [systemClock, defaultRetention];
  const changes = new ChangeWatcher(db);
  const appender = new Appender({ db, topics, records, changes, clock, retention });
  try {
    await db.write("create topic", () => topics.ensure("t", 1));
    await test({ db, topics, records, producers, changes, appender, store, clock }, store);
  } finally {
    store.close();
    db.close();
  }
}

/** A store whose process dies before its nth commit from now on. */
export function dying(store: CheckpointStore, commits: number): CheckpointEntries {
  return {
    id: store.id,
    path: store.path,
    get: (key) => store.get(key),
    list: (prefix) => store.list(prefix),
    commit: (build) =>
      commits-- > 0 ? store.commit(build) : Promise.reject(new Error("The process is dead")),
  };
}

export const open = (parts: CheckpointParts) => EmbeddedCommitter.open(parts, options, () => {});

export const outputs = ({ db, topics, records }: CheckpointParts) => {
  const id = topics.id("out", 0);
  const { latest } = topics.range(id);
  const place = { id, topic: "out", partition: 0 };
  const limits = { maxFrames: 1_000, maxBytes: 1 << 20, always: true };
  return db.read(
    "read",
    () => latest === 0 ? [] : records.read(place, 0, limits).map((frame) => text(frame.value)),
  );
};

export async function withNext(
  parts: CheckpointParts,
  action: (committer: EmbeddedCommitter) => Promise<void>,
) {
  const committer = await open(parts);
  await action(committer);
  await committer.close();
}
