// The registry of cameras and their settings, in Deno KV.
import { shown } from "../runtime/base/options.ts";
import { exists, makeFolder } from "../runtime/base/folders.ts";
import { checkFile, pathFault } from "../runtime/base/given_file.ts";
import { dirname } from "node:path";
import { type CameraSettings, settingFaults } from "./settings.ts";
import { SourceError } from "./source.ts";

export interface RegisteredCamera extends CameraSettings {
  /** n of `CAMERA-n`. */
  readonly number: number;
  /** May contain a password: mask it before showing it. */
  readonly source: string;
}

/** A camera's state, as seen by the process that runs it. */
export interface CameraStatus {
  /** `waiting`: it failed, and is tried again. */
  readonly state: "running" | "waiting" | "ended" | "stopped";
  /** How often it was tried again after a failure. */
  readonly restarts: number;
  /** Its last failure, for the user; absent while it works. */
  readonly error?: string;
  /** The kind of failure, for programs: a `SourceErrorCode`, or `OTHER`. */
  readonly reason?: string;
}

const PREFIX = ["cameras"];
const STATUS_PREFIX = ["camera-status"];

/**
 * Validates an entry of the registry, which another version or program may have written.
 *
 * @throws {SourceError} `INVALID` with all faults, without the source: it may contain a password.
 */
export function readEntry(key: Deno.KvKey, value: unknown): RegisteredCamera {
  const name = `the registry's entry ${shown(key.map(String))}`;
  const fault = (text: string) => new SourceError("INVALID", `Cannot use ${name}: ${text}`);
  if (typeof value !== "object" || value === null) throw fault("it is not an object");
  const fields = value as Record<string, unknown>;
  const { number, source } = fields;
  const faults: string[] = [];
  const isNumber = typeof number === "number" && Number.isInteger(number) && number >= 1;
  if (!isNumber || key.at(-1) !== number) faults.push("its number differs from its key");
  if (typeof source !== "string" || source === "") {
    faults.push("its source is not text");
  }
  faults.push(...settingFaults(fields));
  if (faults.length > 0) {
    throw fault(`${faults.join("; ")}; register it again with cameras add, or remove it`);
  }
  return value as RegisteredCamera;
}

/** Opens the registry's file, readable by its owner alone: it contains passwords. */
export async function openState(path: string): Promise<Deno.Kv> {
  try {
    if (path !== ":memory:") {
      await makeFolder(dirname(path));
      if (await exists(path)) checkFile(path);
      // Create it first, so that it is private from the start.
      const file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
      file.close();
    }
    return await Deno.openKv(path);
  } catch (error) {
    throw new Error(`Cannot open the camera registry ${shown(path)}: ${pathFault(error)}`);
  }
}

/** The registered cameras. Several processes may use one registry at the same time. */
export class CameraRegistry {
  readonly #kv: Deno.Kv;
  readonly #report: (message: string) => void;
  readonly #reported = new Set<string>();

  /** @param report called once with each invalid entry */
  constructor(kv: Deno.Kv, report: (message: string) => void = () => {}) {
    this.#kv = kv;
    this.#report = report;
  }

  /** Adds or changes a camera: what failed before says nothing about it. */
  async add(camera: RegisteredCamera): Promise<void> {
    await this.#kv.set([...PREFIX, camera.number], camera);
    await this.#kv.delete([...STATUS_PREFIX, camera.number]);
  }

  /** @returns false if there was no such camera. */
  async remove(number: number): Promise<boolean> {
    if (!await this.has(number)) return false;
    await this.#kv.delete([...PREFIX, number]);
    await this.#kv.delete([...STATUS_PREFIX, number]);
    return true;
  }

  async setStatus(number: number, status: CameraStatus): Promise<void> {
    await this.#kv.set([...STATUS_PREFIX, number], { ...status, at: Date.now() });
  }

  /** The camera's last recorded state; undefined if no process ran it. */
  async status(number: number): Promise<CameraStatus & { readonly at: number } | undefined> {
    const { value } = await this.#kv.get<CameraStatus & { at: number }>([...STATUS_PREFIX, number]);
    return value ?? undefined;
  }

  async has(number: number): Promise<boolean> {
    return (await this.#kv.get([...PREFIX, number])).value !== null;
  }

  /** All valid cameras by number, each with a version that changes with every `add`. */
  async list(): Promise<{ readonly camera: RegisteredCamera; readonly version: string }[]> {
    const cameras = [];
    for await (const { key, value, versionstamp } of this.#kv.list({ prefix: PREFIX })) {
      try {
        cameras.push({ camera: readEntry(key, value), version: versionstamp });
      } catch (error) {
        if (!(error instanceof SourceError)) throw error;
        if (!this.#reported.has(versionstamp)) this.#report(error.message);
        this.#reported.add(versionstamp);
      }
    }
    return cameras;
  }
}
