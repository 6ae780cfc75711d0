// Alerts as the log remembers them: for a wall that was opened later, or on another machine.
import type { Output } from "../definition/frame.ts";
import type { OutputRecord } from "../log/log.ts";
import { completeResult } from "../definition/result.ts";
import { windowHeaders } from "./topic.ts";

/** The topic for the alerts on a topic's frames. */
export function alertTopic(topic: string): string {
  return `${topic}.alerts`;
}

/** Frames with objects that a record keeps: enough to show what was found. */
const MOST_FRAMES = 16;

/**
 * The record of an output that carries an alert: its `Result` as JSON, under the id of the episode. Of
 * the findings on single frames it keeps the last ones with objects. It goes to the same partition of
 * `TOPIC.alerts`.
 */
export function alertRecord(output: Output, query: string): OutputRecord {
  const { topic, partition, timestamp } = output;
  const { frames = [], ...whole } = completeResult(output, query);
  const found = frames.filter(({ objects = [] }) => objects.length > 0).slice(-MOST_FRAMES);
  const result = found.length === 0 ? whole : { ...whole, frames: found };
  return {
    topic: alertTopic(topic),
    partition,
    key: result.alert?.id ?? null,
    timestamp,
    value: new TextEncoder().encode(JSON.stringify(result)),
    headers: {
      "query": query,
      "source-topic": topic,
      "source-partition": String(partition),
      ...windowHeaders(output),
      "content-type": "application/json",
    },
  };
}
