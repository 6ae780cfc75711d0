// The page's side of decoding: whether this browser can, and a worker for each tile that does.
import type { PictureMessage } from "../protocol.ts";
import type { DecodedUnit, UnitToDecode } from "./unit_worker.ts";

/** Whether this browser decodes video: not over plain HTTP from another machine, where it hides its decoders. */
export const CAN_DECODE = isSecureContext && "VideoDecoder" in globalThis;

/** What becomes of units. */
export interface UnitDecoderEvents {
  /** A picture to be shown. */
  readonly onPicture: (picture: PictureMessage, bitmap: ImageBitmap) => void;
  /** A unit that was only to be decoded. */
  readonly onHidden: (picture: PictureMessage) => void;
  /** The units cannot be decoded here. */
  readonly onProblem: () => void;
}

/** Only this page's own worker is ever started. */
const policy = (globalThis as {
  trustedTypes?: {
    createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): {
      createScriptURL(url: string): string;
    };
  };
}).trustedTypes?.createPolicy("decoder", { createScriptURL: () => WORKER });
const WORKER = "/assets/page/unit_worker.ts";

/** Decodes the units of one tile. */
export class UnitDecoder {
  readonly #worker = new Worker(policy?.createScriptURL(WORKER) ?? WORKER, { type: "module" });
  /** Units that the worker has, by sequence. */
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

  /** Takes the next unit. */
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

  /** Ends the worker; returns the sequence of the last unit that it leaves undecoded, if there is one. */
  close(): number | undefined {
    this.#worker.terminate();
    return [...this.#decoding.keys()].at(-1);
  }
}
