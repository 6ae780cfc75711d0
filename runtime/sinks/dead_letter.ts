/**
 * Dead letters: frames that could not be processed, kept with the reason.
 *
 * @module
 */
import { BadFrameError, type Frame } from "../frame.ts";
import type { OutputRecord } from "./sink.ts";

/** Header names of KIP-1034, and the countable reason. */
export const DEAD_LETTER_HEADERS = {
  exception: "__streams.errors.exception",
  stacktrace: "__streams.errors.stacktrace",
  message: "__streams.errors.message",
  topic: "__streams.errors.topic",
  partition: "__streams.errors.partition",
  offset: "__streams.errors.offset",
  reason: "reason",
} as const;

/** Longest message and stack trace that a dead letter carries, in characters. */
const MAXIMUM_TEXT = 2000;

/** The topic for a topic's dead letters. */
export function deadLetterTopic(topic: string): string {
  return `${topic}.dead-letters`;
}

/**
 * The record of a frame that could not be processed: its value, key, capture time and headers as
 * they were, and what went wrong. It goes to the same partition of `TOPIC.dead-letters`.
 *
 * @example
 * ```ts
 * import { deadLetterRecord } from "./dead_letter.ts";
 * import { BadFrameError } from "../frame.ts";
 *
 * const frame = {
 *   topic: "VideoStreaming", partition: 2, offset: 7, timestamp: 1000, key: null, headers: {},
 *   value: new Uint8Array(),
 * };
 * deadLetterRecord(frame, new BadFrameError("empty", "Frame is empty")).headers["reason"]; // "empty"
 * ```
 */
export function deadLetterRecord(frame: Frame, error: unknown): OutputRecord {
  const names = DEAD_LETTER_HEADERS;
  const isError = error instanceof Error;
  return {
    topic: deadLetterTopic(frame.topic),
    partition: frame.partition,
    key: frame.key,
    value: frame.value,
    timestamp: frame.timestamp,
    headers: {
      ...frame.headers,
      [names.exception]: isError ? error.name : typeof error,
      [names.stacktrace]: isError ? shortened(error.stack ?? "") : "",
      [names.message]: shortened(isError ? error.message : String(error)),
      [names.topic]: frame.topic,
      [names.partition]: String(frame.partition),
      [names.offset]: String(frame.offset),
      [names.reason]: error instanceof BadFrameError ? error.reason : "error",
    },
  };
}

function shortened(text: string): string {
  return text.length <= MAXIMUM_TEXT ? text : `${text.slice(0, MAXIMUM_TEXT)}…`;
}
