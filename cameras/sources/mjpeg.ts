// HTTP cameras: an MJPEG stream, or one picture per request.
import { checkUrl, type SourceKindRow } from "../source_kind.ts";
import { maskUrl } from "../../runtime/base/mask.ts";
import { brief } from "../../runtime/base/options.ts";
import { BadFrameError } from "../../runtime/definition/frame.ts";
import { DEFAULT_MAX_BYTES } from "../../runtime/image/inspect.ts";
import { Decimator, StreamStart } from "../live_time.ts";
import { get, type HttpResponse } from "../net/http.ts";
import { type Credentials, Login, splitCredentials } from "../net/login.ts";
import { pictures } from "../net/picture_stream.ts";
import { prefetch } from "../prefetch.ts";
import { reshape } from "../reshape.ts";
import { type CameraSource, type SourceContext, SourceError, type SourceImage } from "../source.ts";
import type { CameraSettings } from "../settings.ts";
import { ticks } from "../ticker.ts";
import { openingLimit } from "../watchdog.ts";

const ENCODERS = 2;
const MOST_REDIRECTS = 5;
/** Pictures closer than this were buffered, milliseconds: no camera is that fast. */
const TOGETHER_MS = 8;

interface DatedPicture {
  readonly body: Uint8Array;
  readonly timestamp: number;
}

/** An MJPEG stream or snapshots over HTTP; the bytes tell which. */
class MjpegSource implements CameraSource {
  readonly description: string;
  readonly kind = "live";
  readonly #url: URL;
  readonly #credentials: Credentials | undefined;
  readonly #options: CameraSettings;
  /** True after the first picture: a later answer without one means that the camera is starting. */
  #worked = false;

  constructor(url: string, options: CameraSettings = {}) {
    this.description = maskUrl(url);
    const { url: plain, credentials } = splitCredentials(url);
    this.#url = new URL(plain);
    this.#credentials = credentials;
    this.#options = options;
  }

  async *open(context: SourceContext): AsyncGenerator<SourceImage> {
    const { signal, report } = context;
    let bad = 0;
    const start = new StreamStart(context.clock);
    let last = -Infinity;
    const images = prefetch<SourceImage | BadFrameError>(ENCODERS, async (push, stop) => {
      const end = AbortSignal.any([signal, stop]);
      try {
        for await (const { body, timestamp } of this.#bodies(context, end)) {
          start.arrived(timestamp - last <= TOGETHER_MS);
          last = timestamp;
          await push(this.#image(body, timestamp));
        }
      } catch (error) {
        if (!end.aborted) throw error;
      }
    });
    for await (const burst of start.hold(images)) {
      for (const image of spaced(burst, start.gapMs)) {
        if (signal.aborted) return;
        if (!(image instanceof BadFrameError)) yield image;
        else if (++bad === 1) report(`${this.description} sends bad images: ${image.message}`);
      }
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

  /** Encoded images with the times when they were complete; snapshots with those when they were due. */
  async *#bodies(context: SourceContext, end: AbortSignal): AsyncGenerator<DatedPicture> {
    const { fps } = this.#options;
    const decimator = new Decimator(fps);
    if ((yield* this.#response(context, end, decimator)) !== 1) return;
    // A single picture is a snapshot.
    let first = true;
    for await (
      const due of ticks(typeof fps === "number" ? fps : 1, { ...context, signal: end })
    ) {
      if (first) first = false;
      // A stream that broke after its first picture looked like a snapshot.
      else if ((yield* this.#response(context, end, decimator, due)) !== 1) return;
    }
  }

  /** The images of one response. @returns how many it had */
  async *#response(
    context: SourceContext,
    end: AbortSignal,
    decimator: Decimator,
    due?: number,
  ): AsyncGenerator<DatedPicture, number> {
    let count = 0;
    for await (const body of this.#pictures(context, end)) {
      const timestamp = (count++ === 0 ? due : undefined) ?? context.times.now();
      if (decimator.accepts(timestamp)) yield { body, timestamp };
    }
    return count;
  }

  async *#pictures(context: SourceContext, end: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      using response = await this.#request(context, end);
      const chunks = async function* () {
        for await (const chunk of response.body) {
          context.onActivity?.();
          yield chunk;
        }
      };
      let count = 0;
      for await (const picture of pictures(chunks(), DEFAULT_MAX_BYTES)) {
        count++;
        this.#worked = true;
        yield picture;
      }
      if (count > 0) return;
      const [type = "something unnamed"] = response.head.values("content-type");
      const [encoding = "identity"] = response.head.values("content-encoding");
      throw new SourceError(
        "UNSUPPORTED",
        `it sends ${brief(type)} without a picture: expected JPEG, PNG or WebP${
          encoding === "identity" ? "" : `, not compressed by ${brief(encoding)}`
        }`,
        { retryable: this.#worked || /^(?:image|multipart)\//i.test(type) },
      );
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      const { code, message, retryable, cause } = error;
      throw new SourceError(code, `Cannot use ${this.description}: ${message}`, {
        retryable,
        cause,
      });
    }
  }

  /** Returns a successful response. Follows redirects on the camera's host only. */
  async #request(context: SourceContext, end: AbortSignal): Promise<HttpResponse> {
    using late = openingLimit(this.#options, "no answer", context);
    const signal = AbortSignal.any([end, late.signal]);
    let url = this.#url;
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const response = await this.#logIn(url, context.onLogin, signal);
      const { code } = response.head.status;
      if (code >= 200 && code <= 299) {
        context.onActivity?.();
        return response;
      }
      response[Symbol.dispose]();
      const location = response.head.values("location")[0];
      if (code < 300 || code > 399 || location === undefined) {
        throw new SourceError("UNREACHABLE", `the server answers ${code}`);
      }
      url = this.#target(url, location);
    }
    throw new SourceError("UNREACHABLE", `it redirects more than ${MOST_REDIRECTS} times`);
  }

  /** Rejects redirects to other hosts, which could lead into the local network. */
  #target(from: URL, location: string): URL {
    const to = URL.canParse(location, from) ? new URL(location, from) : undefined;
    if (
      to === undefined || !/^https?:$/.test(to.protocol) || to.hostname !== this.#url.hostname ||
      (from.protocol === "https:" && to.protocol === "http:")
    ) {
      throw new SourceError(
        "UNREACHABLE",
        `it redirects to ${
          brief(maskUrl(to?.href ?? location))
        }: use that address if it is the camera`,
        { retryable: false },
      );
    }
    return to;
  }

  async #logIn(url: URL, onLogin: SourceContext["onLogin"], signal: AbortSignal) {
    const login = new Login(this.#credentials, onLogin);
    for (;;) {
      const lines = login.lines({ method: "GET", uri: url.pathname + url.search });
      const response = await get(url, { ...this.#options, signal, lines });
      const { head } = response;
      if (head.status.code !== 401 && head.status.code !== 403) return response;
      response[Symbol.dispose]();
      login.refused(head.values("www-authenticate"));
    }
  }
}

/** Spaces pictures that were complete at the same moment evenly before it. */
function spaced(
  images: readonly (SourceImage | BadFrameError)[],
  gapMs: number,
): (SourceImage | BadFrameError)[] {
  let [next, due] = [Infinity, Infinity];
  return images.toReversed().map((image) => {
    if (image instanceof BadFrameError) return image;
    due = next - image.timestamp > gapMs / 2 ? Math.min(image.timestamp, due - 1) : due - gapMs;
    next = image.timestamp;
    return { ...image, timestamp: due };
  }).reverse();
}

export const mjpegRow: SourceKindRow = {
  schemes: ["http", "https"],
  form: "http://… (MJPEG)",
  help: "MJPEG, or one picture per request, over HTTP",
  access: { target: "host" },
  // It may redirect to https.
  uses: () => ["stallMs", "openTimeoutMs", "tlsCa", "tlsInsecure"],
  make(text, _rest, settings) {
    checkUrl(text);
    return new MjpegSource(text, settings);
  },
};
