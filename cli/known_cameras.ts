// The camera registry for the wall: names, places and troubles, without sources.
import { given } from "../runtime/base/options.ts";
import type { CameraStatus, RegisteredCamera } from "../cameras/registry.ts";
import type { KnownCamera } from "../viewer/mod.ts";
import type { Options } from "./command.ts";

export const knownCamerasOption = {
  cameras: {
    value: "FILE",
    help: "Camera registry: names for the tiles, and why a camera sends nothing",
    default: ".framelane/cameras.kv",
    opens: "database",
  },
} as const satisfies Options;

/** Reads the registry in `file`, opened once it exists; fails until then. */
export class KnownRegistry {
  readonly #file: string;
  #opened: Promise<Deno.Kv> | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  readonly read = async (): Promise<readonly KnownCamera[]> => {
    // Reading a registry must not create it.
    if (this.#opened === undefined) await Deno.stat(this.#file);
    // Loaded on demand, since cameras load FFmpeg.
    const { CameraRegistry, openState } = await import("../cameras/registry.ts");
    const registry = new CameraRegistry(await (this.#opened ??= openState(this.#file)));
    return await Promise.all(
      (await registry.list()).map(async ({ camera }) =>
        knownCamera(camera, await registry.status(camera.number))
      ),
    );
  };

  async close(): Promise<void> {
    (await this.#opened)?.close();
  }
}

/** The information about a camera that the wall may show. */
export function knownCamera(
  { number, name, place }: RegisteredCamera,
  status: CameraStatus & { readonly at: number } | undefined,
): KnownCamera {
  const trouble = status === undefined ? undefined : troubleOf(status);
  const since = trouble === undefined ? undefined : status?.at;
  return { number, ...given({ name, place, trouble, since }) };
}

function troubleOf({ state, error, reason }: CameraStatus): string | undefined {
  if (reason === "UNAUTHORIZED") return "The camera refuses the password";
  if (error !== undefined) return error;
  if (state === "ended") return "The recording ended";
  return state === "stopped" ? "The camera is stopped" : undefined;
}
