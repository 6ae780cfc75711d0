/**
 * The file of checkpoints: a Deno KV database. One store may hold the checkpoints of many queries.
 *
 * @module
 */
import { join } from "node:path";
import { LogError } from "../log.ts";
import { corrupt, decodeEntry, encodeEntry, textOf } from "./checkpoint_entry.ts";
import { type Waiting, whileBusy } from "./database.ts";
import { storageError, storageFault } from "./errors.ts";

const storeKey: Deno.KvKey = ["framelane", "store"];

/** An open store. */
export class CheckpointStore {
  /** The file. */
  readonly path: string;
  /** Identity of the store, a UUID: made with the file, gone with it. */
  readonly id: string;
  readonly #kv: Deno.Kv;
  readonly #waiting: Waiting;

  private constructor(path: string, id: string, kv: Deno.Kv, waiting: Waiting) {
    this.path = path;
    this.id = id;
    this.#kv = kv;
    this.#waiting = waiting;
  }

  /**
   * Opens `DIR/checkpoints.kv`, and makes it when there is none.
   *
   * @param known the id that the store at this path had when it was last seen, if it ever was: a store which has
   * lost its id has lost its checkpoints too, and must not look like a first start.
   * @throws {LogError} `CHECKPOINT_CORRUPT`, `CHECKPOINT_NEWER`, `INVALID`, `DISK_FULL`.
   */
  static async open(
    dir: string,
    known: (path: string) => string | undefined,
    waiting: Waiting,
  ): Promise<CheckpointStore> {
    const file = join(dir, "checkpoints.kv");
    const action = `open the checkpoints in ${dir}`;
    let kv: Deno.Kv | undefined;
    try {
      await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
      const path = join(await Deno.realPath(dir), "checkpoints.kv");
      const existed = await exists(file);
      kv = await whileBusy(waiting, () => Deno.openKv(file));
      const opened = kv;
      const id = await whileBusy(
        waiting,
        () => identify(opened, file, existed && known(path) !== undefined),
      );
      return new CheckpointStore(path, id, kv, waiting);
    } catch (error) {
      kv?.close();
      throw checkpointError(error, action, file);
    }
  }

  /** One entry; `value` is null when there is none. */
  async get(key: Deno.KvKey): Promise<Deno.KvEntryMaybe<unknown>> {
    return await this.#guard("read", () => this.#kv.get(key));
  }

  /** All entries below a prefix, in order. */
  async list(prefix: Deno.KvKey): Promise<Deno.KvEntry<unknown>[]> {
    return await this.#guard("read", () => Array.fromAsync(this.#kv.list({ prefix })));
  }

  /**
   * Commits an atomic operation that `build` makes; tries again while the file is locked.
   *
   * @returns the version of what was written; null when one of the checks failed: nothing was written.
   */
  async commit(
    build: (operation: Deno.AtomicOperation) => Deno.AtomicOperation,
  ): Promise<string | null> {
    return await this.#guard("write", async () => {
      const result = await build(this.#kv.atomic()).commit();
      return result.ok ? result.versionstamp : null;
    });
  }

  close(): void {
    this.#kv.close();
  }

  async #guard<T>(verb: string, action: () => Promise<T>): Promise<T> {
    try {
      return await whileBusy(this.#waiting, action);
    } catch (error) {
      throw checkpointError(error, `${verb} the checkpoint`, this.path);
    }
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await Deno.stat(file);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function identify(kv: Deno.Kv, file: string, expected: boolean): Promise<string> {
  const there = await kv.get(storeKey);
  if (there.versionstamp === null) {
    if (expected) throw corrupt(file, "it is empty, although it held checkpoints");
    const entry = encodeEntry({ id: crypto.randomUUID() });
    await kv.atomic().check({ key: storeKey, versionstamp: null }).set(storeKey, entry).commit();
  }
  // Ours, or that of a process which was faster.
  const { value } = await kv.get(storeKey);
  return textOf(decodeEntry(value, file), "id", file);
}

/** What the file's driver does not understand is damage: it has many words for it. */
function checkpointError(error: unknown, action: string, path: string): LogError {
  if (error instanceof LogError) return error;
  if (error instanceof Deno.errors.BadResource) {
    return new LogError("CLOSED", `Cannot ${action}: the log is closed`, { cause: error });
  }
  switch (storageFault(error, path)) {
    case "malformed":
    case "foreign":
    case "other":
      return corrupt(path, error instanceof Error ? error.message : String(error), error);
    default:
      return storageError(error, action, path);
  }
}
