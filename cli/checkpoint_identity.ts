/**
 * Under which group a query's offsets are kept.
 *
 * @module
 */
import { join } from "node:path";

/**
 * The group of each query: as given (`{query}` stands for its name), or `framelane-{query}`. On
 * Kafka a checkpoint folder holds no offsets, but an identity: other folder, other group, other
 * offsets.
 */
export async function groupNames(
  queries: readonly string[],
  group: string | undefined,
  logUrl: string,
  checkpointDir: string | undefined,
): Promise<Map<string, string>> {
  let pattern = group ?? "framelane-{query}";
  if (group === undefined && checkpointDir !== undefined && logUrl.startsWith("kafka:")) {
    pattern += `-${(await identity(checkpointDir)).slice(0, 8)}`;
  }
  return new Map(queries.map((query) => [query, pattern.replaceAll("{query}", query)]));
}

/** Reads the folder's identity, or gives it one: of several runtimes that begin, all take the same. */
async function identity(directory: string): Promise<string> {
  const path = join(directory, "metadata");
  await Deno.mkdir(directory, { recursive: true });
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await give(path, crypto.randomUUID());
    text = await Deno.readTextFile(path);
  }
  let id: unknown;
  try {
    id = (JSON.parse(text) as { id?: unknown }).id;
  } catch (error) {
    throw new Error(`Cannot read the identity in ${path}: expected {"id":"…"}`, { cause: error });
  }
  if (typeof id !== "string" || !/^[0-9a-f-]{36}$/.test(id)) {
    throw new Error(`Cannot read the identity in ${path}: expected {"id":"…"} with a UUID`);
  }
  return id;
}

/** Nobody sees the file before it is whole, and who comes second leaves it as it is. */
async function give(path: string, id: string): Promise<void> {
  const whole = `${path}.${id}`;
  try {
    await Deno.writeTextFile(whole, JSON.stringify({ id }) + "\n", { createNew: true });
    using file = await Deno.open(whole);
    await file.sync();
    await Deno.link(whole, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  } finally {
    await Deno.remove(whole);
  }
}
