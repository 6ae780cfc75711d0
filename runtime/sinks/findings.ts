// Records of what queries find, for viewers that are opened later or run on another machine.
import type { Output } from "../definition/frame.ts";
import type { Findings, Places } from "../definition/places.ts";
import { completeResult, plainResult } from "../definition/result.ts";
import type { OutputRecord } from "../log/log.ts";
import { resultRecord } from "./topic.ts";

/** Retention of a findings partition, bytes: an hour of 25 results of 600 bytes per second. */
const FINDINGS_BYTES = 64 * 1024 * 1024;

export function alertTopic(topic: string): string {
  return `${topic}.alerts`;
}

export function findingsTopic(topic: string): string {
  return `${topic}.findings`;
}

/** The record of an alert in `TOPIC.alerts`: its `Result` as JSON, keyed by the episode. */
export function alertRecord(output: Output, query: string): OutputRecord {
  const result = completeResult(output, query);
  return resultRecord(output, query, alertTopic(output.topic), result.alert?.id ?? null, result);
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
  const { scores, zones, counts, frames } = plainResult(output.result ?? {});
  const found = [scores, zones, counts, ...frames?.flatMap((of) => [of.scores, of.objects]) ?? []];
  if (!found.some((each) => Object.keys(each ?? {}).length > 0)) return undefined;
  const result: Findings = {
    ...completeResult(output, query),
    ...(places === undefined ? {} : { places }),
  };
  const topic = findingsTopic(output.topic);
  const { frames: _frames, data: _data, ...short } = result;
  return {
    ...resultRecord(output, query, topic, output.key, result),
    optional: "what queries find",
    retentionBytes: FINDINGS_BYTES,
    smaller: () => resultRecord(output, query, topic, output.key, short),
  };
}
