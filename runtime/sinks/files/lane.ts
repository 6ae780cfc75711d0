// Lanes (one query on one partition) in the file system.
import { createHash } from "node:crypto";
import { ifThere } from "../../base/folders.ts";
import type { SinkContext } from "../../definition/sink.ts";
import { SinkError } from "./failure.ts";
import { writeDurably } from "./io.ts";

/** Most bytes of a file's name. */
const LONGEST_NAME = 255;

export interface Position {
  readonly batch: number;
  /** One past the last source offset of that batch. */
  readonly end: number;
}

/** A lane's name for a folder, with its partition and `more` at the end, at most as long as file systems take. */
export function laneKey({ query, topic, partition }: SinkContext, more = ""): string {
  const key = `${encodeURIComponent(query)}-${encodeURIComponent(topic)}-${partition}${more}`;
  if (key.length <= LONGEST_NAME) return key;
  const digest = createHash("sha256").update(key).digest("hex");
  return `${key.slice(0, LONGEST_NAME - digest.length)}${digest}`;
}

/** True if the checkpoint contains a batch; an abandoned one has another end. */
export function isCommitted({ batch, end }: Position, context: SinkContext): boolean {
  const { committedBatch, committedEnd } = context;
  if (committedBatch === undefined) return end <= committedEnd;
  return batch < committedBatch || (batch === committedBatch && end === committedEnd);
}

/** A camera's folder belongs to the first query that uses it. */
export async function reserve(
  root: string,
  camera: string,
  context: SinkContext,
  action: string,
): Promise<void> {
  const owner = `${context.query} on ${context.topic}`;
  await Deno.mkdir(`${root}/owners`, { recursive: true });
  const path = `${root}/owners/${camera}`;
  const own = `${path}.${crypto.randomUUID()}`;
  try {
    await writeDurably(own, new TextEncoder().encode(owner));
    // A hard link appears with its content or not at all.
    await Deno.link(own, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    const holder = await Deno.readTextFile(path);
    if (holder !== owner) {
      throw new SinkError(
        "CONFLICT",
        `Cannot ${action}: its ${camera} belongs to query ${holder}, given ${owner}. ` +
          "Expected a separate folder for each query, for example DIR/{query}",
      );
    }
  } finally {
    await ifThere(Deno.remove(own));
  }
}
