// Small pictures of alerts, made once for all pages: each takes a look into the log, and video is decoded.
import type { Lane, LanePicture } from "../runtime/lanes.ts";
import type { History } from "./history.ts";
import type { AlertView } from "./protocol.ts";
import type { Scaler } from "./scaler.ts";

/** Maximum bytes of all kept pictures; the oldest are dropped. */
const MAX_BYTES = 16 * 1024 * 1024;

interface Kept {
  readonly picture: Promise<LanePicture | undefined>;
  /** 0 until the picture is made. */
  bytes: number;
}

export class Thumbnails {
  readonly #history: Pick<History, "at">;
  readonly #scaler: Pick<Scaler, "scaled">;
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(history: Pick<History, "at">, scaler: Pick<Scaler, "scaled">) {
    this.#history = history;
    this.#scaler = scaler;
  }

  /** An alert's first frame for `width` pixels; undefined if the log does not hold it. */
  async of(
    { fromOffset, fromTime }: Pick<AlertView, "fromOffset" | "fromTime">,
    lane: Lane,
    width: number,
  ): Promise<LanePicture | undefined> {
    const key = `${lane.id} ${fromOffset} ${fromTime} ${width}`;
    const known = this.#kept.get(key);
    if (known !== undefined) return await known.picture;
    const kept: Kept = { picture: this.#make(lane, fromOffset, width), bytes: 0 };
    this.#kept.set(key, kept);
    const picture = await kept.picture.catch((error) => {
      this.#kept.delete(key);
      throw error;
    });
    if (picture === undefined) this.#kept.delete(key);
    else this.#bytes += kept.bytes = picture.bytes.length;
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#bytes <= MAX_BYTES) break;
      if (bytes > 0 && this.#kept.delete(oldest)) this.#bytes -= bytes;
    }
    return picture;
  }

  async #make(lane: Lane, offset: number, width: number): Promise<LanePicture | undefined> {
    const picture = await this.#history.at(lane, offset);
    // Its frames are gone from the log: a later one is not its picture.
    if (picture?.offset !== offset) return undefined;
    const { bytes, contentType } = await this.#scaler.scaled(picture, width);
    // A copy, since a frame may be a part of a large buffer.
    return { ...picture, bytes: bytes.slice(), contentType };
  }
}
