/**
 * The registry of cameras: which there are, and how each is played. Kept in Deno KV.
 *
 * @module
 */
import { dirname } from "node:path";
import type { SourceSettings } from "./open.ts";

/** A camera as it is registered. */
export interface RegisteredCamera extends SourceSettings {
  /** n of `CAMERA-n`. */
  readonly number: number;
  /** May hold a password: never shown unmasked. */
  readonly source: string;
}

const PREFIX = ["cameras"];

/**
 * Opens the file that holds the registry, readable by nobody else: it keeps passwords.
 */
export async function openState(path: string): Promise<Deno.Kv> {
  if (path !== ":memory:") {
    await Deno.mkdir(dirname(path), { recursive: true });
    // Made first, so that it is nobody else's from the beginning.
    const file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
    file.close();
  }
  return await Deno.openKv(path);
}

/** The registered cameras. Several processes may use one registry at once. */
export class CameraRegistry {
  readonly #kv: Deno.Kv;

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  /** Registers a camera, or changes it. */
  async add(camera: RegisteredCamera): Promise<void> {
    await this.#kv.set([...PREFIX, camera.number], camera);
  }

  /** @returns false when there was no such camera. */
  async remove(number: number): Promise<boolean> {
    const key = [...PREFIX, number];
    if ((await this.#kv.get(key)).value === null) return false;
    await this.#kv.delete(key);
    return true;
  }

  async get(number: number): Promise<RegisteredCamera | undefined> {
    return (await this.#kv.get<RegisteredCamera>([...PREFIX, number])).value ?? undefined;
  }

  /** All cameras by number, each with a version that changes whenever it is registered anew. */
  async list(): Promise<{ readonly camera: RegisteredCamera; readonly version: string }[]> {
    const cameras = [];
    for await (const entry of this.#kv.list<RegisteredCamera>({ prefix: PREFIX })) {
      cameras.push({ camera: entry.value, version: entry.versionstamp });
    }
    return cameras;
  }
}
