// Decodes video in the page: checks support, and runs a worker per tile.
import type { PictureMessage } from "../protocol.ts";
import type { DecodedUnit, UnitToDecode } from "./unit_worker.ts";

/** Whether this browser decodes video; browsers hide decoders on plain HTTP from another machine. */
export const CAN_DECODE = isSecureContext && "VideoDecoder" in globalThis;

export interface UnitDecoderEvents {
  readonly onPicture: (picture: PictureMessage, bitmap: ImageBitmap) => void;
  /** A unit decoded only as a reference. */
  readonly onHidden: (picture: PictureMessage) => void;
  /** The units cannot be decoded here. */
  readonly onProblem: () => void;
}

/** Only this page's own worker may start. */
const policy = (globalThis as {
  trustedTypes?: {
    createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): {
      createScriptURL(url: string): string;
    };
  };
}).trustedTypes?.createPolicy("decoder", { createScriptURL: () => WORKER });
const WORKER = "/assets/page/unit_worker.ts";

export class UnitDecoder {
  readonly #worker = new Worker(policy?.createScriptURL(WORKER) ?? WORKER, { type: "module" });
  /** Units in the worker, by sequence. */
  readonly #decoding = new Map<number, PictureMessage>();

  constructor({ onPicture, onHidden, onProblem }: UnitDecoderEvents) {
    this.#worker.onmessage = ({ data }: MessageEvent<DecodedUnit>) => {
      if ("problem" in data) return onProblem();
      const picture = this.#decoding.get(data.sequence);
      this.#decoding.delete(data.sequence);
      if (picture === undefined) data.bitmap?.close();
      else if (data.bitmap === undefined) onHidden(picture);
      else onPicture(picture, data.bitmap);
    };
    this.#worker.onerror = onProblem;
  }

  /** Sends the next unit to the worker. */
  take(picture: PictureMessage): void {
    const { sequence, unit, image } = picture;
    this.#decoding.set(sequence, picture);
    const bytes = image.slice().buffer;
    const message: UnitToDecode = {
      sequence,
      codec: unit?.codec,
      hidden: unit?.hidden === true,
      bytes,
    };
    this.#worker.postMessage(message, [bytes]);
  }

  /** Terminates the worker; returns the sequence of the last undecoded unit, if any. */
  close(): number | undefined {
    this.#worker.terminate();
    return [...this.#decoding.keys()].at(-1);
  }
}
