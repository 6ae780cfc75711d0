// Retention: expired records are hidden at once; a segment is removed when all its records are.
import { join } from "node:path";
import { ignoreMissing } from "./disk.ts";
import type { Store } from "./records.ts";
import { placeId } from "./schema.ts";

const goneSegments = `SELECT s.id, s.partition, s.file, s.first, s.next FROM segments s
  JOIN partitions p ON p.id = s.partition WHERE s.next IS NOT NULL AND s.next <= p.floor LIMIT 64`;

export async function expire(parts: Store): Promise<void> {
  const { dir, db, topics } = parts;
  const due = await db.read(
    "look for expired frames",
    () => topics.expired().length > 0 || db.get(goneSegments) !== undefined,
  );
  for (let files = due ? [""] : []; files.length > 0;) {
    files = await db.write("remove expired frames", () => expireRows(parts));
    for (const file of files) {
      await Deno.remove(join(dir, file)).catch(ignoreMissing);
      await db.turns.ready();
    }
  }
}

/** The same, synchronously; returns how many segments were removed. */
export function expireNow(parts: Store): number {
  let removed = 0;
  for (;;) {
    const files = parts.db.writeNow(() => expireRows(parts));
    for (const file of files) {
      try {
        Deno.removeSync(join(parts.dir, file));
      } catch (error) {
        ignoreMissing(error);
      }
    }
    if (files.length === 0) return removed;
    removed += files.length;
  }
}

/** Within a transaction: returns the files to remove after its commit. */
function expireRows({ db, topics, records }: Store): string[] {
  for (const { id, floor } of topics.expired()) records.hideBefore(id, floor);
  const gone = db.all<[number, number, string, number, number]>(goneSegments);
  for (const [id, partition, , first, next] of gone) {
    db.run(
      `DELETE FROM chunks WHERE id >= ${placeId} AND id < ${placeId} AND segment = ?`,
      ...[partition, first, partition, next, id],
    );
    db.run("DELETE FROM segments WHERE id = ?", id);
  }
  return gone.map(([, , file]) => file);
}
