/** A record whose bytes follow from its place. */
import type { LogRecord } from "../../runtime/log/log.ts";

export function powerRecord(topic: string, partition: number, offset: number): LogRecord {
  const value = new Uint8Array(1_500 + offset % 7 * 400);
  for (let at = 0; at < value.length; at++) value[at] = at * 31 + offset * 7 + partition;
  return { key: topic, value, timestamp: 1_000 + offset, headers: { offset: `${offset}` } };
}
