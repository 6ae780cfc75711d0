// A checkpoint in Kafka: a group's committed offset, with JSON in the commit's metadata. See
// `docs/checkpoint-format.md`.
import { messageOf } from "../../../base/errors.ts";
import { Buffer } from "node:buffer";
import { crc32 } from "../../../base/crc32.ts";
import { corrupt, newer } from "../../checkpoint_plan.ts";
import type { BatchRange, Checkpoint, CheckpointInfo } from "../../log.ts";

const VERSION = 1;
/** Within the broker's default limit, `offset.metadata.max.bytes`. */
const METADATA_BYTES = 4_000;

/** Position in the state topic. */
export interface StatePlace {
  readonly partition: number;
  readonly offset: number;
}

export interface Stored {
  readonly queryId: string;
  readonly query: string;
  /** The group's offset: the end of the last committed batch. */
  readonly offset: number;
  /** −1 while no batch is committed. */
  readonly batchId: number;
  readonly restart: number;
  /** Of the topic whose offsets these are. */
  readonly topicId?: string | undefined;
  readonly planned?: BatchRange | undefined;
  readonly state?: Uint8Array | undefined;
  readonly stateAt?: StatePlace | undefined;
}

/** `Stored` as JSON, with short names to save space. */
interface Metadata {
  readonly framelane: number;
  /** CRC-32 of the offset and all other fields. */
  readonly sum: string;
  readonly id: string;
  readonly query: string;
  readonly batch: number;
  readonly restart: number;
  readonly topic?: string | undefined;
  readonly plan?: readonly [batchId: number, start: number, end: number] | undefined;
  readonly state?: string | undefined;
  readonly stateAt?: readonly [partition: number, offset: number] | undefined;
}

/** Undefined if the state does not fit. */
export function encodeMetadata(stored: Stored): string | undefined {
  const { planned, state, stateAt } = stored;
  const fields: Omit<Metadata, "framelane" | "sum"> = {
    id: stored.queryId,
    query: stored.query,
    batch: stored.batchId,
    restart: stored.restart,
    topic: stored.topicId,
    plan: planned && [planned.batchId, planned.start, planned.end],
    state: state && Buffer.from(state.buffer, state.byteOffset, state.length).toString("base64"),
    stateAt: stateAt && [stateAt.partition, stateAt.offset],
  };
  const sum = sumOf(stored.offset, fields);
  const text = JSON.stringify({ framelane: VERSION, sum, ...fields } satisfies Metadata);
  return Buffer.byteLength(text) <= METADATA_BYTES ? text : undefined;
}

/**
 * @returns undefined if another program committed the offset
 * @throws {LogError} `CHECKPOINT_NEWER`, `CHECKPOINT_CORRUPT`
 */
export function decodeMetadata(
  offset: number,
  text: string | null,
  place: string,
): Stored | undefined {
  if (text === null || !isOurs(text)) return undefined;
  const name = `the checkpoint of ${place}`;
  let metadata: Partial<Metadata>;
  try {
    metadata = JSON.parse(text);
  } catch (error) {
    throw corrupt(name, messageOf(error));
  }
  if (typeof metadata !== "object" || metadata === null) throw corrupt(name, "it is not an object");
  const { framelane, sum, ...fields } = metadata;
  const { id, query, batch, restart, topic, plan, state, stateAt } = fields;
  if (typeof framelane === "number" && framelane > VERSION) {
    throw newer(name, framelane, VERSION);
  }
  if (sum !== sumOf(offset, fields)) throw corrupt(name, "its checksum does not fit");
  const whole = framelane === VERSION && typeof id === "string" && typeof query === "string" &&
    isCount(batch, -1) && isCount(restart) && restart <= offset &&
    (topic === undefined || typeof topic === "string") &&
    (plan === undefined || areCounts(plan, 3)) &&
    (state === undefined || typeof state === "string") &&
    (stateAt === undefined || areCounts(stateAt, 2));
  if (!whole) throw corrupt(name, "a field is missing or not what it should be");
  return {
    queryId: id,
    query,
    offset,
    batchId: batch,
    restart,
    topicId: topic,
    planned: plan && { batchId: plan[0], start: plan[1], end: plan[2] },
    state: state === undefined ? undefined : new Uint8Array(Buffer.from(state, "base64")),
    stateAt: stateAt && { partition: stateAt[0], offset: stateAt[1] },
  };
}

/** Includes damaged metadata: taken for another program's it would be ignored. */
function isOurs(text: string): boolean {
  return text !== "" && '{"framelane"'.startsWith(text) || /"(framelane|sum|restart)"/.test(text);
}

function sumOf(offset: number, fields: object): string {
  return crc32(`${offset} ${JSON.stringify(fields)}`).toString(16).padStart(8, "0");
}

function isCount(value: unknown, minimum = 0): value is number {
  return Number.isSafeInteger(value) && (value as number) >= minimum;
}

function areCounts(values: unknown, length: number): boolean {
  return Array.isArray(values) && values.length === length && values.every((n) => isCount(n));
}

export function placeOf(
  { query, topic, partition }: Pick<CheckpointInfo, "query" | "topic" | "partition">,
): string {
  return `query ${query} on ${topic} partition ${partition}`;
}

/** Undefined before the first commit. */
export function checkpointOf(stored: Stored | undefined): Checkpoint | undefined {
  if (stored === undefined || (stored.batchId < 0 && stored.planned !== undefined)) {
    return undefined;
  }
  const { batchId, offset: end, restart, state } = stored;
  return { batchId, end, restart, ...(state === undefined ? {} : { state }) };
}

/**
 * The group that holds a query's checkpoint. Kafka stores one offset for each group and partition, so each
 * query needs a group of its own: `group` itself if its name ends with the query's.
 */
export function checkpointGroup(group: string, query: string): string {
  return group === query || group.endsWith(`-${query}`) || group.endsWith(`/${query}`)
    ? group
    : `${group}/${query}`;
}
