/**
 * One fetch request and its answer.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Writer } from "./client.ts";
import type { Connection } from "./connections.ts";
import { PieceCursor } from "./piece_cursor.ts";
import type { AbortedTransaction } from "./record_decoder.ts";
import { READ_COMMITTED } from "./topics.ts";

/** One partition of a fetch request. */
export interface FetchPart {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  /** Leader epoch of the record before `offset`; −1 when unknown. The broker compares it with its own log. */
  readonly fetchedEpoch: number;
  readonly maxBytes: number;
}

/** What came for one partition. */
export interface FetchedPart {
  readonly topicId: string;
  readonly partition: number;
  readonly errorCode: number;
  /** One past the last committed record. */
  readonly lastStableOffset: number;
  readonly logStart: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Whole record batches, and maybe a part of one. */
  readonly records: Uint8Array;
  /** The broker's log has another history than what was read before `offset`. */
  readonly diverged: boolean;
}

/** Answer to a fetch. */
export interface Fetched {
  readonly errorCode: number;
  readonly parts: readonly FetchedPart[];
}

const FETCH = 1;
const VERSION = 13;
const NO_SESSION = { id: 0, epoch: -1 };
/** Bytes of a request without topics, of a topic, of a partition; counts take five at most. */
const REQUEST_BYTES = 40;
const TOPIC_BYTES = 22;
const PART_BYTES = 33;

/**
 * Asks for records; the broker answers when there are some, or after `maxWaitMs`.
 *
 * @throws errors of the client when the connection fails.
 */
export function fetchParts(
  connection: Connection,
  parts: readonly FetchPart[],
  { maxWaitMs, maxBytes }: { maxWaitMs: number; maxBytes: number },
): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    connection.send<Fetched>(
      FETCH,
      VERSION,
      () => Writer.create().append(encodeRequest(parts, maxWaitMs, maxBytes)),
      (_correlation, _key, _version, reader) => parseFetched(reader.buffer.buffers),
      true,
      true,
      (error, fetched) => error === null ? resolve(fetched!) : reject(error),
    );
  });
}

/**
 * A request in one piece: with hundreds of partitions, writing each field by itself costs more than
 * all that happens to the frames.
 */
function encodeRequest(
  parts: readonly FetchPart[],
  maxWaitMs: number,
  maxBytes: number,
): Buffer {
  const topics = Map.groupBy(parts, ({ topicId }) => topicId);
  const bytes = Buffer.allocUnsafe(
    REQUEST_BYTES + topics.size * TOPIC_BYTES + parts.length * PART_BYTES,
  );
  let at = 0;
  const int32 = (value: number) => at = bytes.writeInt32BE(value, at);
  const int64 = (value: number) => {
    int32(Math.floor(value / 2 ** 32));
    at = bytes.writeUInt32BE(value % 2 ** 32, at);
  };
  /** What Kafka writes as one more than it is, so that 0 can say that there is none. */
  const count = (value: number) => {
    let rest = value + 1;
    for (; rest > 127; rest >>>= 7) at = bytes.writeUInt8(rest & 127 | 128, at);
    at = bytes.writeUInt8(rest, at);
  };
  const noTags = () => at = bytes.writeUInt8(0, at);
  int32(-1); // no replica
  int32(maxWaitMs);
  int32(1); // byte at least
  int32(maxBytes);
  at = bytes.writeInt8(READ_COMMITTED, at);
  int32(NO_SESSION.id);
  int32(NO_SESSION.epoch);
  count(topics.size);
  for (const [topicId, of] of topics) {
    at += bytes.write(topicId.replaceAll("-", ""), at, "hex");
    count(of.length);
    for (const { partition, leaderEpoch, offset, fetchedEpoch, maxBytes } of of) {
      int32(partition);
      int32(leaderEpoch);
      int64(offset);
      int32(fetchedEpoch);
      int32(-1); // start of a replica's log, 64 bits
      int32(-1);
      int32(maxBytes);
      noTags();
    }
    noTags();
  }
  count(0); // forgotten topics
  count(0); // rack
  noTags();
  return bytes.subarray(0, at);
}

/** Reads an answer, given in the pieces in which it came. */
export function parseFetched(pieces: readonly Uint8Array[]): Fetched {
  const cursor = new PieceCursor(pieces);
  cursor.skip(4); // throttle time
  const errorCode = cursor.int16();
  cursor.skip(4); // session
  const parts: FetchedPart[] = [];
  for (let topics = cursor.count(); topics > 0; topics--) {
    const topicId = cursor.uuid();
    for (let partitions = cursor.count(); partitions > 0; partitions--) {
      parts.push(parsePart(cursor, topicId));
    }
    cursor.tags();
  }
  return { errorCode, parts };
}

function parsePart(cursor: PieceCursor, topicId: string): FetchedPart {
  const partition = cursor.int32();
  const errorCode = cursor.int16();
  cursor.skip(8); // high watermark
  const lastStableOffset = cursor.int64();
  const logStart = cursor.int64();
  const aborted: AbortedTransaction[] = [];
  for (let count = cursor.count(); count > 0; count--) {
    aborted.push({ producerId: cursor.bigint64(), firstOffset: cursor.int64() });
    cursor.tags();
  }
  cursor.skip(4); // preferred read replica
  const records = cursor.take(cursor.count());
  let diverged = false;
  cursor.tags((tag) => {
    if (tag === 0) diverged = true;
  });
  return {
    topicId,
    partition,
    errorCode,
    lastStableOffset,
    logStart,
    aborted,
    records,
    diverged,
  };
}
