// The `topic:NAME` sink: outputs as records of another topic of the same log.
import {
  BadFrameError,
  firstOffsetOf,
  type Headers,
  isFinding,
  lastOffsetOf,
  type Output,
  type Result,
} from "../definition/frame.ts";
import { shown, TOPIC } from "../base/options.ts";
import type { OutputRecord } from "../log/log.ts";
import { contentTypeOf } from "./content_type.ts";
import { deadLetterRecord } from "./dead_letter.ts";
import { checkOutput, completeResult } from "../definition/result.ts";
import type { Sink } from "../definition/sink.ts";

/** Options of `topic`. */
export interface TopicOptions {
  /** The topic: letters, digits, `.`, `_`, `-`; created with the source's partition count. */
  readonly name: string;
}

/**
 * Appends outputs to the same partition of another topic of the source's log, exactly once: the
 * records become visible together with the commit of their batch.
 *
 * A frame keeps its value, key, capture time and headers; `query`, `source-topic`,
 * `source-partition` and `source-offset` are added, `content-type` is always set, and findings go
 * into the header `result` as JSON. The finding for a window becomes a record with the `Result` as
 * its JSON value and the headers `source-first-offset` and `source-last-offset`. A frame that is
 * too large for the topic is dead-lettered instead.
 *
 * @example
 * ```ts
 * import { topic } from "./topic.ts";
 *
 * topic({ name: "grey" }).uri; // "topic:grey"
 * ```
 */
export function topic(options: TopicOptions): Sink {
  const { name } = options;
  if (!TOPIC.takes(name)) {
    throw new RangeError(
      `Cannot write to topic ${shown(name)}: expected ${TOPIC.accepted}`,
    );
  }
  return {
    uri: `topic:${name}`,
    delivery: "exactly-once",
    opens: {},
    check: checkOutput,
    topics: [name],
    open({ query, topic: source }) {
      if (source === name) {
        throw new RangeError(
          `Cannot write query ${query} to topic ${name}: it is the topic that the query reads`,
        );
      }
      return { records: (outputs) => outputs.map((output) => recordOf(output, query, name)) };
    },
  };
}

export function recordOf(output: Output, query: string, topic: string): OutputRecord {
  const { partition, key, timestamp } = output;
  if (isFinding(output)) {
    return resultRecord(output, query, topic, key, completeResult(output, query));
  }
  const result = output.result && JSON.stringify(completeResult(output, query));
  const { value } = output;
  return {
    topic,
    partition,
    key,
    timestamp,
    value,
    headers: {
      ...withoutOrigin(output.headers),
      ...sourceHeaders(output, query),
      "source-offset": String(output.offset),
      "content-type": contentTypeOf(output),
      ...(result === undefined ? {} : { result }),
    },
    smaller: (refusal) =>
      deadLetterRecord(
        output,
        refusal.code === "TOO_LARGE"
          ? new BadFrameError(
            "too-large",
            `Cannot write a frame of ${value.length} bytes${
              result === undefined ? "" : ` with a result of ${result.length}`
            } to topic ${topic}: it accepts no record this large`,
          )
          : new BadFrameError("refused", refusal.message),
      ),
  };
}

/** The record of a `Result` as JSON; `source-window-number` where several windows begin with one frame. */
export function resultRecord(
  output: Output,
  query: string,
  topic: string,
  key: string | null,
  result: Result,
): OutputRecord {
  const { partition, timestamp } = output;
  const number = isFinding(output) ? output.number ?? 0 : 0;
  return {
    topic,
    partition,
    key,
    timestamp,
    value: new TextEncoder().encode(JSON.stringify(result)),
    headers: {
      ...sourceHeaders(output, query),
      "source-first-offset": String(firstOffsetOf(output)),
      "source-last-offset": String(lastOffsetOf(output)),
      ...(number === 0 ? {} : { "source-window-number": String(number) }),
      "content-type": "application/json",
    },
  };
}

function sourceHeaders({ topic, partition }: Output, query: string): Headers {
  return { "query": query, "source-topic": topic, "source-partition": String(partition) };
}

/** Drops an earlier query's headers about its source. */
function withoutOrigin(headers: Headers): Headers {
  const {
    "source-offset": _offset,
    "source-first-offset": _first,
    "source-last-offset": _last,
    "source-window-number": _number,
    "result": _result,
    ...others
  } = headers;
  return others;
}
