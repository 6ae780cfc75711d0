// Tables of the embedded log's database. The frames' bytes are in segment files.

/** Identifies the file as Framelane's (`PRAGMA application_id`): "FRLN". */
export const applicationId = 0x46524c4e;

/**
 * Version of the tables (`PRAGMA user_version`). Version 1 kept the frames in the database. Version 2 wrote a
 * `chunks` row per append, version 3 a `partitions` row: both are upgraded when opened.
 */
export const schemaVersion = 4;

/**
 * A chunk's id combines its partition's id and first offset, so that one B-tree holds each partition in
 * order.
 */
export const offsetBits = 40;

export const offsetLimit = 2 ** offsetBits;

/** The id of a chunk or an entry, of the id of a partition or checkpoint and an offset or batch. */
export const placeId = `((CAST(? AS INTEGER) << ${offsetBits}) | CAST(? AS INTEGER))`;

/** SQL for the offset or batch in such an id. */
export const offsetOfId = `(id & ${offsetLimit - 1})`;

/*
 * Small pages: a commit writes whole pages, and an append changes one row of one table.
 * See docs/decisions/embedded-log.md for measurements.
 */
export const pageSize = 512;

/**
 * - `log`: `place` is that of the file (`placeOf`), to detect copies; `family` is not used.
 * - `partitions`: `floor` is the first retained offset at the last check, `bytes` all bytes ever appended,
 *   `change` larger than all others when the row is written; the `open_` columns describe the newest, growing
 *   chunk; `latest`, `bytes`, `arrived` and `open_time` may be behind the file `tails`.
 * - `segments`: `next` is one past the last offset; `next`, `bytes` and `max_time` are set on sealing.
 * - `chunks`: contiguous records in a segment; `total` is the partition's `bytes` before them, `arrived` the
 *   arrival of the first one.
 * - `checkpoints`: `process` is the presence id of the owner's log, `sum` the CRC-32 of its key,
 *   which an older Framelane checks.
 * - `entries`: `offsets/N` and `commits/N` of a checkpoint; see docs/checkpoint-format.md.
 * - `claims`: `target` is the assigned owner of a partition, `holder` the current one.
 */
export const schema = `
CREATE TABLE log (
  id INTEGER PRIMARY KEY CHECK (id = 1), log_id TEXT NOT NULL, family TEXT NOT NULL, place TEXT NOT NULL
) STRICT;
CREATE TABLE topics (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL,
  retention_bytes INTEGER NOT NULL, retention_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE partitions (
  id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, partition INTEGER NOT NULL,
  floor INTEGER NOT NULL, latest INTEGER NOT NULL, bytes INTEGER NOT NULL,
  arrived INTEGER NOT NULL, change INTEGER NOT NULL, open_segment INTEGER, open_first INTEGER,
  open_position INTEGER, open_total INTEGER, open_arrived INTEGER, open_time INTEGER,
  UNIQUE (topic, partition)
) STRICT;
CREATE TABLE segments (
  id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, file TEXT NOT NULL, first INTEGER NOT NULL,
  next INTEGER, bytes INTEGER, max_time INTEGER
) STRICT;
CREATE INDEX segments_order ON segments (partition, first);
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY, count INTEGER NOT NULL, segment INTEGER NOT NULL, position INTEGER NOT NULL,
  size INTEGER NOT NULL, total INTEGER NOT NULL, arrived INTEGER NOT NULL, max_time INTEGER NOT NULL
) STRICT;
CREATE TABLE checkpoints (
  id INTEGER PRIMARY KEY, store TEXT NOT NULL, grp TEXT NOT NULL, query TEXT NOT NULL,
  topic TEXT NOT NULL, partition INTEGER NOT NULL, query_id TEXT NOT NULL, epoch INTEGER NOT NULL,
  member TEXT, process TEXT, sum INTEGER NOT NULL, UNIQUE (store, grp, query, topic, partition)
) STRICT;
CREATE TABLE entries (id INTEGER PRIMARY KEY, offsets TEXT, commits TEXT) STRICT;
CREATE TABLE groups (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, topic TEXT NOT NULL, generation INTEGER NOT NULL,
  UNIQUE (name, topic)
) STRICT;
CREATE TABLE members (
  grp INTEGER NOT NULL, member TEXT NOT NULL, joined INTEGER NOT NULL, beat INTEGER NOT NULL,
  session_ms INTEGER NOT NULL, PRIMARY KEY (grp, member)
) STRICT, WITHOUT ROWID;
CREATE TABLE claims (
  grp INTEGER NOT NULL, partition INTEGER NOT NULL, target TEXT, holder TEXT,
  generation INTEGER NOT NULL, PRIMARY KEY (grp, partition)
) STRICT, WITHOUT ROWID;
`;

/** From version 2; versions 3 and later have the same tables. */
export const upgrade = ["segment", "first", "position", "total", "arrived", "time"]
  .map((name) => `ALTER TABLE partitions ADD COLUMN open_${name} INTEGER;`).join("") +
  "DELETE FROM partitions WHERE id = 0;";
