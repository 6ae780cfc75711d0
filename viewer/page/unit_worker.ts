// Decodes access units in a worker, one decoder a tile. Every unit is answered: with its picture, or without
// one where it was only to be decoded.
/** Page to worker: a unit, in decoding order. */
export interface UnitToDecode {
  readonly sequence: number;
  /** On keyframes: as in RFC 6381. */
  readonly codec: string | undefined;
  readonly hidden: boolean;
  readonly bytes: ArrayBuffer;
}

/** Worker to page. */
export type DecodedUnit =
  | { readonly sequence: number; readonly bitmap?: ImageBitmap }
  /** This browser cannot decode the stream, or holds its pictures back. */
  | { readonly problem: string };

/** A decoder that gives no picture for this long waits for more frames, milliseconds. */
const PATIENCE_MS = 1_500;

const port = self as unknown as {
  onmessage: (event: MessageEvent<UnitToDecode>) => void;
  postMessage(message: DecodedUnit, transfer?: Transferable[]): void;
};

let decoder: VideoDecoder | undefined;
let configured = "";
let begun = false;
/** Units whose pictures are to be shown, by sequence. */
const shown = new Set<number>();
let turn: Promise<unknown> = Promise.resolve();
let timer = 0;

function fail(error: unknown): void {
  port.postMessage({ problem: error instanceof Error ? error.message : String(error) });
}

async function put(frame: VideoFrame): Promise<void> {
  clearTimeout(timer);
  const sequence = frame.timestamp;
  const bitmap = shown.delete(sequence) ? await createImageBitmap(frame) : undefined;
  frame.close();
  if (bitmap === undefined) port.postMessage({ sequence });
  else port.postMessage({ sequence, bitmap }, [bitmap]);
}

port.onmessage = ({ data: { sequence, codec, hidden, bytes } }) => {
  try {
    if (codec !== undefined && codec !== configured) {
      decoder ??= new VideoDecoder({
        output: (frame) => turn = turn.then(() => put(frame)).catch(fail),
        error: fail,
      });
      // Parameter sets stand in the units themselves: Annex B.
      decoder.configure({ codec, optimizeForLatency: true });
      configured = codec;
    }
    begun ||= codec !== undefined;
    // What comes before the first keyframe depends on what this page never got.
    if (decoder === undefined || !begun) return port.postMessage({ sequence });
    if (!hidden) shown.add(sequence);
    const type = codec === undefined ? "delta" : "key";
    decoder.decode(new EncodedVideoChunk({ type, timestamp: sequence, data: bytes }));
    clearTimeout(timer);
    timer = setTimeout(() => fail("The decoder holds pictures back"), PATIENCE_MS);
  } catch (error) {
    fail(error);
  }
};
