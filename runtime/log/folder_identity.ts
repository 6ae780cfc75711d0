// The identity of a checkpoint folder: created once, shared by all users of the folder.
import { join } from "node:path";
import { read } from "../base/errors.ts";
import { isFile } from "../base/folders.ts";
import { pathFault } from "../base/given_file.ts";
import { shown } from "../base/options.ts";
import { LogError } from "./log_error.ts";

/** Content of the folder's `metadata` file. */
interface FolderIdentity {
  /** A UUID. */
  readonly id: string;
  /** The embedded log that the checkpoints belong to. */
  readonly log?: string;
}

/**
 * Reads the folder's identity, creating it if absent; runtimes that start concurrently get the same one.
 *
 * @param log the embedded log that a new identity belongs to
 */
export async function folderIdentity(directory: string, log?: string): Promise<FolderIdentity> {
  const path = join(directory, "metadata");
  try {
    await Deno.mkdir(directory, { recursive: true });
  } catch (error) {
    const { AlreadyExists, NotADirectory, FilesystemLoop } = Deno.errors;
    const blocked = [AlreadyExists, NotADirectory, FilesystemLoop];
    if (!blocked.some((type) => error instanceof type)) throw error;
    throw new LogError(
      "INVALID",
      `Cannot keep checkpoints in ${shown(directory)}: ${pathFault(error)}`,
      { cause: error },
    );
  }
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await publish(path, { id: crypto.randomUUID(), ...(log === undefined ? {} : { log }) });
    text = await Deno.readTextFile(path);
  }
  const fault = `Cannot read the identity in ${path}: expected {"id":"…"} with a UUID`;
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Error(fault, { cause: error });
  }
  const [id, owner] = [read(content, "id"), read(content, "log")];
  if (typeof id !== "string" || !/^[0-9a-f-]{36}$/.test(id)) throw new Error(fault);
  return { id, ...(typeof owner === "string" ? { log: owner } : {}) };
}

/** Whether a folder may have an identity: reading it says why it cannot be read. Creates nothing. */
export async function hasIdentity(directory: string): Promise<boolean> {
  return await isFile(join(directory, "metadata")).catch(() => true);
}

/** Publishes the complete file atomically; an existing one is kept. */
async function publish(path: string, identity: FolderIdentity): Promise<void> {
  const whole = `${path}.${identity.id}`;
  try {
    await Deno.writeTextFile(whole, JSON.stringify(identity) + "\n", { createNew: true });
    using file = await Deno.open(whole);
    await file.sync();
    await Deno.link(whole, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  } finally {
    await Deno.remove(whole);
  }
}
