// How a checkpoint looks in Kafka: the offset that a consumer group has committed, and a small JSON
// beside it in the commit's metadata. `docs/checkpoint-format.md` describes it for people.
import { Buffer } from "node:buffer";
import { crc32 } from "../../../base/crc32.ts";
import { type BatchRange, type Checkpoint, type CheckpointInfo, LogError } from "../../log.ts";

/** The version that is written; newer ones are refused. */
const VERSION = 1;
/** What a broker takes by default (`offset.metadata.max.bytes`). */
const METADATA_BYTES = 4_000;

/** Where a state lies that is too large for the metadata. */
export interface StatePlace {
  readonly partition: number;
  readonly offset: number;
}

/** A checkpoint as it is stored. */
export interface Stored {
  readonly queryId: string;
  readonly query: string;
  /** The committed offset of the group: the end of the last committed batch. */
  readonly offset: number;
  /** −1 while no batch is committed. */
  readonly batchId: number;
  readonly restart: number;
  readonly planned?: BatchRange;
  readonly state?: Uint8Array;
  readonly stateAt?: StatePlace;
}

/** What `Stored` is in JSON; short names, since the space is small. */
interface Metadata {
  readonly framelane: number;
  /** CRC-32 of the offset and all other fields. */
  readonly sum: string;
  readonly id: string;
  readonly query: string;
  readonly batch: number;
  readonly restart: number;
  readonly plan?: readonly [batchId: number, start: number, end: number];
  readonly state?: string;
  readonly stateAt?: readonly [partition: number, offset: number];
}

/** The metadata of a checkpoint; undefined when its state does not fit in. */
export function encodeMetadata(stored: Stored): string | undefined {
  const { planned, state, stateAt } = stored;
  const fields: Omit<Metadata, "framelane" | "sum"> = {
    id: stored.queryId,
    query: stored.query,
    batch: stored.batchId,
    restart: stored.restart,
    ...(planned === undefined ? {} : { plan: [planned.batchId, planned.start, planned.end] }),
    ...(state === undefined ? {} : {
      state: Buffer.from(state.buffer, state.byteOffset, state.byteLength).toString("base64"),
    }),
    ...(stateAt === undefined ? {} : { stateAt: [stateAt.partition, stateAt.offset] }),
  };
  const sum = sumOf(stored.offset, fields);
  const text = JSON.stringify({ framelane: VERSION, sum, ...fields } satisfies Metadata);
  return Buffer.byteLength(text) <= METADATA_BYTES ? text : undefined;
}

/**
 * Reads the metadata of a committed offset.
 *
 * @returns undefined when another program committed this offset.
 * @throws {LogError} `CHECKPOINT_NEWER`, `CHECKPOINT_CORRUPT`
 */
export function decodeMetadata(
  offset: number,
  text: string | null,
  place: string,
): Stored | undefined {
  if (text === null || !isOurs(text)) return undefined;
  let metadata: Partial<Metadata>;
  try {
    metadata = JSON.parse(text);
  } catch (error) {
    throw corrupt(place, (error as Error).message);
  }
  if (typeof metadata !== "object" || metadata === null) throw corrupt(place, "it is no object");
  const { framelane, sum, ...fields } = metadata;
  const { id, query, batch, restart, plan, state, stateAt } = fields;
  if (typeof framelane === "number" && framelane > VERSION) {
    throw new LogError(
      "CHECKPOINT_NEWER",
      `Cannot read the checkpoint of ${place}: it is of version ${framelane}, this Framelane knows ${VERSION}`,
    );
  }
  if (sum !== sumOf(offset, fields)) throw corrupt(place, "its checksum does not fit");
  const whole = framelane === VERSION && typeof id === "string" && typeof query === "string" &&
    isCount(batch, -1) && isCount(restart) && restart <= offset &&
    (plan === undefined ||
      (Array.isArray(plan) && plan.length === 3 && plan.every((n) => isCount(n)))) &&
    (state === undefined || typeof state === "string") &&
    (stateAt === undefined ||
      (Array.isArray(stateAt) && stateAt.length === 2 && stateAt.every((n) => isCount(n))));
  if (!whole) throw corrupt(place, "a field is missing or not what it should be");
  return {
    queryId: id,
    query,
    offset,
    batchId: batch,
    restart,
    ...(plan === undefined ? {} : { planned: { batchId: plan[0], start: plan[1], end: plan[2] } }),
    ...(state === undefined ? {} : { state: new Uint8Array(Buffer.from(state, "base64")) }),
    ...(stateAt === undefined ? {} : { stateAt: { partition: stateAt[0], offset: stateAt[1] } }),
  };
}

/** Also what damage has left of ours: taken for a foreign one it would be skipped in silence. */
function isOurs(text: string): boolean {
  return text !== "" && '{"framelane"'.startsWith(text) || /"(framelane|sum|restart)"/.test(text);
}

function sumOf(offset: number, fields: object): string {
  return crc32(`${offset} ${JSON.stringify(fields)}`).toString(16).padStart(8, "0");
}

function isCount(value: unknown, minimum = 0): value is number {
  return Number.isSafeInteger(value) && (value as number) >= minimum;
}

function corrupt(place: string, reason: string): LogError {
  return new LogError(
    "CHECKPOINT_CORRUPT",
    `Cannot read the checkpoint of ${place}: ${reason}`,
  );
}

/** Whose checkpoint it is, for people. */
export function placeOf(
  { query, topic, partition }: Pick<CheckpointInfo, "query" | "topic" | "partition">,
): string {
  return `query ${query} on ${topic} partition ${partition}`;
}

/** The checkpoint as the engine knows it; undefined before the first commit. */
export function checkpointOf(stored: Stored | undefined): Checkpoint | undefined {
  if (stored === undefined || (stored.batchId < 0 && stored.planned !== undefined)) {
    return undefined;
  }
  const { batchId, offset: end, restart, state } = stored;
  return { batchId, end, restart, ...(state === undefined ? {} : { state }) };
}

/**
 * The group that holds a query's checkpoint. Kafka keeps one offset for a group and a partition, so
 * queries that share a group have one of their own each; `group` itself where its name says that
 * it is this query's.
 */
export function checkpointGroup(group: string, query: string): string {
  return group === query || group.endsWith(`-${query}`) || group.endsWith(`/${query}`)
    ? group
    : `${group}/${query}`;
}
