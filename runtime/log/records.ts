// What goes into a log and how its places are named.
import type { Headers } from "../definition/frame.ts";

/** A record to append. */
export interface LogRecord {
  readonly key: string | null;
  readonly value: Uint8Array;
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly headers: Headers;
}

/** A record for a topic of the log. */
export interface OutputRecord extends LogRecord {
  readonly topic: string;
  readonly partition: number;
  /**
   * What the log takes instead when the topic refuses this one (`TOO_LARGE`, `REFUSED`); without it the commit
   * fails. It may be meant for another topic, which is made if it is not there.
   */
  readonly smaller?: (refusal: { readonly code: string; readonly message: string }) => OutputRecord;
  /** What it is, for people: it is left out and reported where its topic is not there and cannot be made. */
  readonly optional?: string;
  /** How much of each partition its topic keeps, where that has to be made for it. */
  readonly retentionBytes?: number;
}

/** First offset that is still there, and one past the last readable one. */
export interface OffsetRange {
  readonly earliest: number;
  readonly latest: number;
}

/** Kafka's generation and member id, or the embedded log's like. Plain data: it crosses to workers. */
export interface Membership {
  readonly memberId: string;
  readonly generation: number;
}
