// Lanes (one query on one partition) in the file system.
import { createHash } from "node:crypto";
import { exists, ifThere } from "../../base/folders.ts";
import { cameraOfPartition } from "../../definition/frame.ts";
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
  return batch < committedBatch || (batch === committedBatch && end === committedEnd);
}

/**
 * Makes a folder whose files of this lane's camera belong to the first query that writes them.
 *
 * @returns the camera, after which they are named
 * @throws {SinkError} `INVALID` if they belong to another query
 */
export async function reserve(root: string, context: SinkContext): Promise<string> {
  const camera = cameraOfPartition(context.partition);
  const owner = `${context.query} on ${context.topic}`;
  await Deno.mkdir(`${root}/.framelane/owners`, { recursive: true });
  const path = `${root}/.framelane/owners/${camera}`;
  if (!await exists(path)) {
    const own = `${path}.${crypto.randomUUID()}`;
    try {
      await writeDurably(own, new TextEncoder().encode(owner));
      // A hard link appears with its content or not at all.
      await Deno.link(own, path);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    } finally {
      await ifThere(Deno.remove(own));
    }
  }
  const holder = await Deno.readTextFile(path);
  if (holder === owner) return camera;
  throw new SinkError(
    "INVALID",
    `Cannot write to ${
      JSON.stringify(root)
    }: its ${camera} belongs to query ${holder}, given ${owner}. ` +
      "Expected a separate folder for each query, for example DIR/{query}",
  );
}
