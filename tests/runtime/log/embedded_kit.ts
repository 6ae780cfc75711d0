/** Folders and logs for the tests of the embedded log. */
import { systemClock } from "../../../runtime/base/clock.ts";
import { Database } from "../../../runtime/log/embedded/database.ts";
import { Records } from "../../../runtime/log/embedded/records.ts";
import { expire } from "../../../runtime/log/embedded/retention.ts";
import { Topics } from "../../../runtime/log/embedded/topics.ts";
import { parseEmbeddedUrl } from "../../../runtime/log/embedded/url.ts";
import { EmbeddedLog, type EmbeddedLogOptions } from "../../../runtime/log/embedded/log.ts";

/** Runs a test in a folder that is removed afterwards. */
export async function inFolder(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "framelane-log-" });
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Opens a log for `test` and closes it. */
export async function withLog<T>(
  url: string,
  test: (log: EmbeddedLog) => Promise<T>,
  options?: EmbeddedLogOptions,
): Promise<T> {
  const log = new EmbeddedLog(url, options);
  try {
    return await test(log);
  } finally {
    await log.close();
  }
}

/** Removes the records of a partition below an offset, as another process would. */
export async function deleteRecords(
  { url }: { readonly url: string },
  topic: string,
  partition: number,
  before: number,
): Promise<void> {
  const { dir } = parseEmbeddedUrl(url);
  const db = await Database.open(dir, { clock: systemClock, timeoutMs: 10_000 });
  try {
    const topics = new Topics(db, () => Date.now());
    const records = new Records(db);
    await db.write("delete", () => records.hideBefore(topics.id(topic, partition), before));
    await expire({ dir, db, topics, records });
  } finally {
    await db.close();
  }
}
