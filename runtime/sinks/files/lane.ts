// Lanes (one query on one partition) in the file system.
import type { SinkContext } from "../../definition/sink.ts";
import { SinkError } from "./failure.ts";

export interface Position {
  readonly batch: number;
  /** One past the last source offset of that batch. */
  readonly end: number;
}

export function laneKey({ query, topic, partition }: SinkContext): string {
  return `${encodeURIComponent(query)}-${encodeURIComponent(topic)}-${partition}`;
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
  await Deno.writeTextFile(own, owner);
  try {
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
    await Deno.remove(own);
  }
}
