// Records of what queries find, for viewers that are opened later or run on another machine.
import type { Output, Result } from "../definition/frame.ts";
import type { Findings, Places } from "../definition/places.ts";
import { completeResult } from "../definition/result.ts";
import type { OutputRecord } from "../log/log.ts";
import { windowHeaders } from "./topic.ts";

/**
 * The retention size of a partition of a findings topic: an hour of 25 results of 600 bytes per
 * second.
 */
const FINDINGS_BYTES = 64 * 1024 * 1024;

/** The topic for the alerts of a topic's frames. */
export function alertTopic(topic: string): string {
  return `${topic}.alerts`;
}

/** The topic for all findings in a topic's frames. */
export function findingsTopic(topic: string): string {
  return `${topic}.findings`;
}

/**
 * The record of an output with an alert: its `Result` as JSON, with the episode's id as key. It
 * goes to the same partition of `TOPIC.alerts`.
 */
export function alertRecord(output: Output, query: string): OutputRecord {
  const result = completeResult(output, query);
  return recordOf(output, query, alertTopic(output.topic), result.alert?.id ?? null, result);
}

/**
 * The record of an output with findings (objects, scores, zones, counts): its `Result` as JSON,
 * with the zones and lines that the query watches, without pictures. It goes to the same partition
 * of `TOPIC.findings`, which retains 64 MiB per partition and is created on demand; if it cannot be
 * created, the query continues without it.
 *
 * @returns undefined if nothing was found.
 */
export function findingsRecord(
  output: Output,
  query: string,
  places?: Places,
): OutputRecord | undefined {
  const { scores, zones, counts, frames } = output.result ?? {};
  const found = [scores, zones, counts, ...frames?.flatMap((of) => [of.scores, of.objects]) ?? []];
  if (!found.some((each) => Object.keys(each ?? {}).length > 0)) return undefined;
  const result: Findings = {
    ...completeResult(output, query),
    ...(places === undefined ? {} : { places }),
  };
  const topic = findingsTopic(output.topic);
  const { frames: _frames, data: _data, ...short } = result;
  return {
    ...recordOf(output, query, topic, output.key, result),
    optional: "what queries find",
    retentionBytes: FINDINGS_BYTES,
    smaller: () => recordOf(output, query, topic, output.key, short),
  };
}

function recordOf(
  output: Output,
  query: string,
  topic: string,
  key: string | null,
  result: Result,
): OutputRecord {
  const { partition, timestamp } = output;
  return {
    topic,
    partition,
    key,
    timestamp,
    value: new TextEncoder().encode(JSON.stringify(result)),
    headers: {
      "query": query,
      "source-topic": output.topic,
      "source-partition": String(partition),
      ...windowHeaders(output),
      "content-type": "application/json",
    },
  };
}
