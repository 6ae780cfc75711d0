/**
 * A network camera that speaks HTTP: JPEGs one after the other, or one JPEG a request.
 *
 * @module
 */
import { BadFrameError } from "../../runtime/definition/frame.ts";
import { DEFAULT_MAX_BYTES } from "../../runtime/image/inspect.ts";
import { maskSecrets, maskUrl } from "../../runtime/base/mask.ts";
import { authorize, type Credentials, splitCredentials } from "../http_auth.ts";
import { Decimator } from "../live_time.ts";
import { boundaryOf, parts } from "../multipart.ts";
import { prefetch } from "../prefetch.ts";
import { reshape } from "../reshape.ts";
import {
  type CameraSource,
  type ImageSettings,
  type SourceContext,
  SourceError,
  type SourceImage,
} from "../source.ts";
import { ticks } from "../ticker.ts";

/** How to watch. */
export interface MjpegOptions extends ImageSettings {
  /** At most so many frames a second; of a server that gives one picture a request: 1. */
  readonly fps?: number;
  /** The server must answer, and go on, within so long, milliseconds; 10 000 unless given. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
/** Images that are scaled or encoded at once. */
const ENCODERS = 2;

/** An MJPEG stream, `multipart/x-mixed-replace`, or snapshots over HTTP. */
export class MjpegSource implements CameraSource {
  readonly description: string;
  readonly kind = "live";
  readonly #url: string;
  readonly #credentials: Credentials | undefined;
  readonly #options: MjpegOptions;

  constructor(url: string, options: MjpegOptions = {}) {
    this.description = maskUrl(url);
    const { url: plain, credentials } = splitCredentials(url);
    this.#url = plain;
    this.#credentials = credentials;
    this.#options = options;
  }

  async *open(context: SourceContext): AsyncGenerator<SourceImage> {
    const { signal, report } = context;
    let bad = 0;
    const images = prefetch<SourceImage | BadFrameError>(ENCODERS, async (push, stop) => {
      const end = AbortSignal.any([signal, stop]);
      try {
        for await (const { body, timestamp } of this.#bodies(context, end)) {
          await push(this.#image(body, timestamp));
        }
      } catch (error) {
        if (!end.aborted) throw error;
      }
    });
    for await (const image of images) {
      if (signal.aborted) return;
      if (!(image instanceof BadFrameError)) yield image;
      else if (++bad === 1) report(`${this.description} sends bad images: ${image.message}`);
    }
  }

  async #image(body: Uint8Array, timestamp: number): Promise<SourceImage | BadFrameError> {
    try {
      return { ...await reshape(body, this.#options), timestamp };
    } catch (error) {
      if (error instanceof BadFrameError) return error;
      throw error;
    }
  }

  /** Encoded images with the times of their arrival. */
  async *#bodies(
    { times }: SourceContext,
    end: AbortSignal,
  ): AsyncGenerator<{ body: Uint8Array; timestamp: number }> {
    const { fps } = this.#options;
    const response = await this.#get(end);
    const type = response.headers.get("content-type") ?? "";
    const boundary = boundaryOf(type);
    if (boundary !== undefined && response.body !== null) {
      const decimator = new Decimator(fps);
      const chunks = this.#impatiently(response.body, end);
      for await (const { body } of parts(chunks, boundary, DEFAULT_MAX_BYTES)) {
        const timestamp = times.now();
        if (decimator.accepts(timestamp)) yield { body, timestamp };
      }
      return;
    }
    if (!/^image\//i.test(type)) {
      await response.body?.cancel();
      throw new SourceError(
        "UNSUPPORTED",
        `Cannot use ${this.description}: it sends ${
          type === "" ? "something unnamed" : type
        }: expected multipart/x-mixed-replace or an image`,
      );
    }
    let next: Response | undefined = response;
    for await (const timestamp of ticks(fps ?? 1, times, end)) {
      next ??= await this.#get(end);
      yield { body: await this.#whole(next, end), timestamp };
      next = undefined;
    }
  }

  async #whole(response: Response, end: AbortSignal): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    if (response.body === null) return new Uint8Array();
    for await (const piece of this.#impatiently(response.body, end)) {
      size += piece.length;
      if (size > DEFAULT_MAX_BYTES) {
        throw new SourceError(
          "CORRUPT",
          `Cannot use ${this.description}: it sends more than ${DEFAULT_MAX_BYTES} bytes an image`,
        );
      }
      pieces.push(piece);
    }
    const whole = new Uint8Array(size);
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  /** A response that is fine; its status tells what is not. */
  async #get(end: AbortSignal): Promise<Response> {
    let response = await this.#fetch(end);
    const challenge = response.headers.get("www-authenticate");
    if (response.status === 401 && challenge !== null && this.#credentials !== undefined) {
      const { pathname, search } = new URL(this.#url);
      const answer = authorize(challenge, pathname + search, this.#credentials);
      if (answer !== undefined) {
        await response.body?.cancel();
        response = await this.#fetch(end, answer);
      }
    }
    if (response.ok) return response;
    await response.body?.cancel();
    const { status } = response;
    if (status === 401 || status === 403) {
      throw new SourceError(
        "UNAUTHORIZED",
        `Cannot open ${this.description}: the user name or the password is wrong`,
      );
    }
    throw new SourceError(
      "UNREACHABLE",
      `Cannot open ${this.description}: the server answers ${status}`,
    );
  }

  async #fetch(end: AbortSignal, authorization?: string): Promise<Response> {
    const { timeoutMs = TIMEOUT_MS } = this.#options;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), timeoutMs);
    try {
      return await fetch(this.#url, {
        headers: authorization === undefined ? {} : { authorization },
        signal: AbortSignal.any([end, late.signal]),
      });
    } catch (error) {
      if (end.aborted) throw error;
      const why = late.signal.aborted
        ? `no answer within ${timeoutMs / 1000} s`
        : maskSecrets((error as Error).message);
      throw new SourceError("UNREACHABLE", `Cannot open ${this.description}: ${why}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The chunks of a body that must not pause for too long. */
  async *#impatiently(
    body: ReadableStream<Uint8Array>,
    end: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const { timeoutMs = TIMEOUT_MS } = this.#options;
    const reader = body.getReader();
    let late = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    // A connection that broke has nothing left to cancel.
    const cancel = () => reader.cancel().catch(() => {});
    end.addEventListener("abort", cancel, { once: true });
    try {
      for (;;) {
        timer = setTimeout(() => {
          late = true;
          void cancel();
        }, timeoutMs);
        const { value, done } = await reader.read();
        clearTimeout(timer);
        if (late) {
          throw new SourceError(
            "UNREACHABLE",
            `${this.description} sent nothing for ${timeoutMs / 1000} s`,
          );
        }
        if (done) return;
        yield value;
      }
    } catch (error) {
      if (end.aborted || error instanceof SourceError) throw error;
      throw new SourceError(
        "ENDED",
        `Connection to ${this.description} broke: ${maskSecrets((error as Error).message)}`,
      );
    } finally {
      clearTimeout(timer);
      end.removeEventListener("abort", cancel);
      await cancel();
    }
  }
}
