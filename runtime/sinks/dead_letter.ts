// Dead letters: frames that could not be processed, kept with the reason.
import { messageOf, nameOf, shortened, stackOf } from "../base/errors.ts";
import { BadFrameError, type Frame } from "../definition/frame.ts";
import { OperatorError } from "../definition/operator_error.ts";
import { hasBytes } from "../definition/result.ts";
import type { OutputRecord } from "../log/log.ts";

/** Header names of KIP-1034, and the reason code. */
const DEAD_LETTER_HEADERS = {
  exception: "__streams.errors.exception",
  stacktrace: "__streams.errors.stacktrace",
  message: "__streams.errors.message",
  topic: "__streams.errors.topic",
  partition: "__streams.errors.partition",
  offset: "__streams.errors.offset",
  reason: "reason",
  truncated: "truncated",
} as const;

const MAXIMUM_TEXT = 2000;

export function deadLetterTopic(topic: string): string {
  return `${topic}.dead-letters`;
}

/**
 * The record of a frame that could not be processed: its original value, key, capture time and
 * headers, and the error. It goes to the same partition of `TOPIC.dead-letters`. If the error's
 * text makes it too large for its topic, it has neither value nor headers of the frame, and the
 * header `truncated` holds the size of the value: the frame is still in its own topic.
 */
export function deadLetterRecord(frame: Frame, error: unknown): OutputRecord {
  const names = DEAD_LETTER_HEADERS;
  const errorHeaders = {
    [names.exception]: nameOf(error),
    [names.stacktrace]: shortened(stackOf(error) ?? "", MAXIMUM_TEXT),
    [names.message]: shortened(messageOf(error), MAXIMUM_TEXT),
    [names.topic]: frame.topic,
    [names.partition]: String(frame.partition),
    [names.offset]: String(frame.offset),
    [names.reason]: error instanceof BadFrameError
      ? shortened(String(error.reason), 100)
      : error instanceof OperatorError
      ? "operator-error"
      : "error",
  };
  const { key, timestamp, partition } = frame;
  // An operator may have transferred the bytes.
  const value = hasBytes(frame.value) ? frame.value : new Uint8Array();
  const whole: OutputRecord = {
    topic: deadLetterTopic(frame.topic),
    partition,
    key,
    value,
    timestamp,
    headers: { ...frame.headers, ...errorHeaders },
  };
  return {
    ...whole,
    optional: `a dead letter (${errorHeaders[names.reason]})`,
    smaller: () => ({
      ...whole,
      value: new Uint8Array(),
      headers: { ...errorHeaders, [names.truncated]: String(value.length) },
    }),
  };
}
