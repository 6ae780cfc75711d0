// Decodes access units in a worker, with one decoder per tile. Every unit is answered: with its picture, or
// without one if it was decoded only as a reference.
/** Page to worker: a unit, in decoding order. */
export interface UnitToDecode {
  readonly sequence: number;
  /** On keyframes: the codec as in RFC 6381. */
  readonly codec: string | undefined;
  readonly hidden: boolean;
  readonly bytes: ArrayBuffer;
}

/** Worker to page. */
export type DecodedUnit =
  | { readonly sequence: number; readonly bitmap?: ImageBitmap }
  /** This browser cannot decode the stream, or its decoder withholds pictures. */
  | { readonly problem: string };

/** A decoder without output for this long is waiting for more frames, milliseconds. */
const PATIENCE_MS = 1_500;

const port = self as unknown as {
  onmessage: (event: MessageEvent<UnitToDecode>) => void;
  postMessage(message: DecodedUnit, transfer?: Transferable[]): void;
};

let decoder: VideoDecoder | undefined;
let configured = "";
let begun = false;
/** Units whose pictures are shown, by sequence. */
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
      // Annex B: parameter sets are in the units.
      decoder.configure({ codec, optimizeForLatency: true });
      configured = codec;
    }
    begun ||= codec !== undefined;
    // Units before the first keyframe depend on frames this page never received.
    if (decoder === undefined || !begun) return port.postMessage({ sequence });
    if (!hidden) shown.add(sequence);
    const type = codec === undefined ? "delta" : "key";
    decoder.decode(new EncodedVideoChunk({ type, timestamp: sequence, data: bytes }));
    clearTimeout(timer);
    timer = setTimeout(() => fail("The decoder withholds pictures"), PATIENCE_MS);
  } catch (error) {
    fail(error);
  }
};
