// Records, and identifiers of offsets and members.
import type { Headers } from "../definition/frame.ts";

/** A record to append. */
export interface LogRecord {
  readonly key: string | null;
  readonly value: Uint8Array;
  /** Epoch milliseconds; stored as a whole number from 0 up. */
  readonly timestamp: number;
  readonly headers: Headers;
}

/** A record to append to a topic with a commit. */
export interface OutputRecord extends LogRecord {
  readonly topic: string;
  readonly partition: number;
  /**
   * A replacement if the topic rejects this record (`TOO_LARGE`, `REFUSED`); without one, the commit fails.
   * Its topic may differ and is created if absent.
   */
  readonly smaller?: (refusal: { readonly code: string; readonly message: string }) => OutputRecord;
  /**
   * Display name of an optional record: it is dropped and reported if its topic does not exist and cannot be
   * created.
   */
  readonly optional?: string;
  /** Retention of each partition if the topic has to be created. */
  readonly retentionBytes?: number;
}

/** The first existing offset, and one past the last readable one. */
export interface OffsetRange {
  readonly earliest: number;
  readonly latest: number;
}

/**
 * Kafka's generation and member id, or the embedded log's equivalent. Plain data that can be sent to workers.
 */
export interface Membership {
  readonly memberId: string;
  readonly generation: number;
}

/** What a header takes besides its text, about. */
const HEADER_BYTES = 64;

/** Size of a frame in a buffer: headers may be as large as pictures, and very many. */
export function weightOf({ value, key, headers }: Omit<LogRecord, "timestamp">): number {
  let weight = value.length + (key?.length ?? 0);
  for (const name in headers) weight += HEADER_BYTES + name.length + headers[name]!.length;
  return weight;
}
