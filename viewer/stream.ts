// Response bodies that are made while they are read.

export interface StreamOptions {
  /** Aborts when the viewer stops. */
  readonly stopped: AbortSignal;
  /** Called when the stream has ended, failed or was cancelled, however early; maybe more than once. */
  readonly onEnd: () => void;
  /** Whether it ends normally when the viewer stops. Otherwise it fails, so as not to look complete. */
  readonly endless?: boolean;
}

/**
 * A stream that has its first chunk; undefined if there is none. `chunks` gets a signal that aborts when the
 * viewer stops or the reader is gone.
 */
export async function streamOf(
  chunks: (signal: AbortSignal) => AsyncGenerator<Uint8Array, void, undefined>,
  { stopped, onEnd, endless = false }: StreamOptions,
): Promise<ReadableStream<Uint8Array> | undefined> {
  const over = new AbortController();
  const made = chunks(AbortSignal.any([stopped, over.signal]));
  const next = async () => {
    try {
      const { done, value } = await made.next();
      if (done === true) onEnd();
      return value ?? undefined;
    } catch (error) {
      onEnd();
      if (endless && stopped.aborted) return undefined;
      throw error;
    }
  };
  let first = await next();
  return first && new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = first ?? await next();
      first = undefined;
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
    async cancel(reason) {
      over.abort(reason);
      onEnd();
      await made.return();
    },
  }, { highWaterMark: 0 });
}
