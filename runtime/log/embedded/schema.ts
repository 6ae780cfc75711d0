/**
 * Tables of the embedded log's database.
 *
 * @module
 */

/** Marks the file as ours (`PRAGMA application_id`): "FRLN". */
export const applicationId = 0x46524c4e;

/** Version of the tables (`PRAGMA user_version`). */
export const schemaVersion = 1;

/** A record's id is its partition's id and its offset, so that one B-tree holds each partition in order. */
export const offsetBits = 40;

/** Largest offset of a partition plus one. */
export const offsetLimit = 2 ** offsetBits;

/** The id of the record at an offset: takes a partition's id and an offset. */
export const recordId = `((CAST(? AS INTEGER) << ${offsetBits}) | CAST(? AS INTEGER))`;

/** The offset in a record's id. */
export const offsetOfId = `(id & ${offsetLimit - 1})`;

/** Row of `partitions` that stands for the log as a whole: its `change` counts the transactions. */
export const wholeLog = 0;

/*
 * Frames are about 60 KB: pages of 16 KB read and append fastest, while a commit of one small
 * record still writes three pages only.
 */
export const pageSize = 16_384;

/**
 * - `records_facts` covers what retention and search by time need, so that neither touches values.
 * - `producers` makes outputs and checkpoint one transaction; see docs/checkpoint-format.md.
 * - `claims`: `target` shall own a partition, `holder` has not let go of it yet.
 */
export const schema = `
CREATE TABLE log (id INTEGER PRIMARY KEY CHECK (id = 1), log_id TEXT NOT NULL) STRICT;
CREATE TABLE topics (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL
) STRICT;
CREATE TABLE partitions (
  id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, partition INTEGER NOT NULL,
  earliest INTEGER NOT NULL, latest INTEGER NOT NULL, bytes INTEGER NOT NULL,
  change INTEGER NOT NULL, UNIQUE (topic, partition)
) STRICT;
CREATE TABLE records (
  id INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, appended INTEGER NOT NULL,
  size INTEGER NOT NULL, key TEXT, headers TEXT NOT NULL, value BLOB NOT NULL
) STRICT;
CREATE INDEX records_facts ON records (id, timestamp, appended, size);
CREATE TABLE stores (path TEXT PRIMARY KEY, id TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE producers (
  store TEXT NOT NULL, grp TEXT NOT NULL, query TEXT NOT NULL, topic TEXT NOT NULL,
  partition INTEGER NOT NULL, epoch INTEGER NOT NULL, checkpoint TEXT,
  PRIMARY KEY (store, grp, query, topic, partition)
) STRICT, WITHOUT ROWID;
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
INSERT INTO partitions VALUES (${wholeLog}, 0, 0, 0, 0, 0, 0);
`;
