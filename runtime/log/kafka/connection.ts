/**
 * One connection to a broker: requests go out in order, answers come back in the same order.
 *
 * @module
 */
import { systemClock } from "../../base/clock.ts";
import type { Broker, Credentials, Tls } from "./address.ts";
import { NetworkError, TimeoutError } from "./client.ts";
import type { Call } from "./requests/request.ts";
import { logIn } from "./sasl.ts";
import { dial, type Transport } from "./transport.ts";
import { AnswerReader, RequestWriter } from "./wire.ts";

/** How to connect. */
export interface ConnectionOptions {
  readonly tls?: Tls;
  readonly credentials?: Credentials;
  readonly connectTimeoutMs: number;
  /** How long an answer may take. */
  readonly requestTimeoutMs: number;
  /** Breaks the connecting off. */
  readonly signal: AbortSignal;
  /** The connection is not to be used for anything new: it is lost, closed, or its login ends soon. */
  readonly onEnd: () => void;
}

/** A request whose answer has not come. */
interface Pending {
  readonly correlation: number;
  readonly deadline: number;
  readonly flexible: boolean;
  readonly take: (answer: AnswerReader) => void;
  readonly fail: (error: unknown) => void;
}

const CLIENT_ID = "framelane";
const LENGTH_BYTES = 4;
/** Answers up to this size are read where they came in; larger ones get memory of their own. */
const SCRATCH_BYTES = 16 * 1024;
/** No answer is larger: what says so is not Kafka. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
/** What was sent last still goes out on closing, for so long. */
const FLUSH_MS = 1_000;
/** A login that ends is given up before that. */
const LOGIN_USED = 0.8;

/** A connection to a broker, logged in. */
export class Connection {
  readonly #transport: Transport;
  readonly #options: ConnectionOptions;
  readonly #pending: Pending[] = [];
  #correlation = 0;
  #writing: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #loginTimer: ReturnType<typeof setTimeout> | undefined;
  /** Why nothing can be sent any more. */
  #ended: unknown;
  #retired = false;
  readonly #reading: Promise<void>;

  private constructor(transport: Transport, options: ConnectionOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#reading = this.#read();
  }

  /**
   * Connects and logs in.
   *
   * @throws errors of the client.
   */
  static async open(broker: Broker, options: ConnectionOptions): Promise<Connection> {
    const { tls, credentials, connectTimeoutMs, signal } = options;
    const place = `${broker.host}:${broker.port}`;
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new TimeoutError(`Connection to ${place} timed out.`)),
      connectTimeoutMs,
    );
    const either = AbortSignal.any([signal, late.signal]);
    let connection: Connection | undefined;
    const abort = () => {
      if (connection !== undefined) connection.#end(either.reason);
    };
    try {
      connection = new Connection(await dial(broker, tls, either), options);
      either.addEventListener("abort", abort, { once: true });
      if (credentials !== undefined) {
        const lifetimeMs = await logIn(connection, credentials);
        if (lifetimeMs > 0) connection.#retireAfter(LOGIN_USED * lifetimeMs);
      }
      return connection;
    } catch (error) {
      await connection?.close();
      throw new NetworkError(`Connection to ${place} failed.`, { cause: error as Error });
    } finally {
      clearTimeout(timer);
      either.removeEventListener("abort", abort);
    }
  }

  /**
   * Sends a request and reads its answer.
   *
   * @param read must take what it keeps out of the answer: the memory may be used again.
   * @throws errors of the client when the connection is lost or the answer does not come in time;
   * whatever `read` throws.
   */
  request<T>(
    call: Call,
    write: (to: RequestWriter) => void,
    read: (from: AnswerReader) => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const correlation = this.#next();
      const pieces = encode(call, correlation, write);
      this.#pending.push({
        correlation,
        deadline: systemClock.monotonic() + this.#options.requestTimeoutMs,
        flexible: call.flexible ?? true,
        take: (answer) => {
          try {
            resolve(read(answer));
          } catch (error) {
            reject(error);
          }
        },
        fail: reject,
      });
      this.#watch();
      void this.#write(pieces);
    });
  }

  /** Sends a request that is not answered; resolves when it has gone out. */
  async send(call: Call, write: (to: RequestWriter) => void): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    await this.#write(encode(call, this.#next(), write));
    if (this.#ended !== undefined) throw this.#ended;
  }

  /** Ends the connection when what was sent has gone out; answers that have not come fail. */
  async close(): Promise<void> {
    if (this.#ended === undefined) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => timer = setTimeout(resolve, FLUSH_MS));
      await Promise.race([this.#writing, late]);
      clearTimeout(timer);
      this.#end(new NetworkError("Connection closed"));
    }
    await this.#reading;
  }

  #next(): number {
    return this.#correlation = (this.#correlation + 1) & 0x7fffffff;
  }

  #write(pieces: readonly Uint8Array[]): Promise<void> {
    return this.#writing = this.#writing.then(async () => {
      try {
        for (const piece of pieces) {
          if (this.#ended !== undefined) return;
          await this.#transport.write(piece);
        }
      } catch (error) {
        this.#lose(error);
      }
    });
  }

  async #read(): Promise<void> {
    const scratch = new Uint8Array(SCRATCH_BYTES);
    let filled = 0;
    try {
      for (;;) {
        while (filled < LENGTH_BYTES) {
          const count = await this.#transport.read(scratch.subarray(filled));
          if (count === null) throw new NetworkError("Connection closed");
          filled += count;
        }
        const size = sizeOf(scratch);
        const end = LENGTH_BYTES + size;
        if (end <= SCRATCH_BYTES) {
          while (filled < end) {
            const count = await this.#transport.read(scratch.subarray(filled));
            if (count === null) throw new NetworkError("Connection closed");
            filled += count;
          }
          this.#answered(new AnswerReader(scratch.subarray(LENGTH_BYTES, end), false));
          scratch.copyWithin(0, end, filled);
          filled -= end;
        } else {
          const answer = new Uint8Array(size);
          answer.set(scratch.subarray(LENGTH_BYTES, filled));
          for (let at = filled - LENGTH_BYTES; at < size;) {
            const count = await this.#transport.read(answer.subarray(at));
            if (count === null) throw new NetworkError("Connection closed");
            at += count;
          }
          filled = 0;
          this.#answered(new AnswerReader(answer));
        }
      }
    } catch (error) {
      this.#lose(error);
    }
  }

  #answered(answer: AnswerReader): void {
    const [pending] = this.#pending;
    const correlation = answer.int32();
    if (pending?.correlation !== correlation) {
      throw new NetworkError(
        `Answer ${correlation} came where ${pending?.correlation ?? "none"} was awaited`,
      );
    }
    this.#pending.shift();
    if (pending.flexible) answer.tags();
    pending.take(answer);
    if (this.#pending.length > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#retired) this.#end(new NetworkError("Connection closed"));
  }

  /** Sees to it that the oldest request fails in time. */
  #watch(): void {
    if (this.#timer !== undefined) return;
    const left = this.#pending[0]!.deadline - systemClock.monotonic();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const oldest = this.#pending[0];
      if (oldest === undefined) return;
      if (systemClock.monotonic() < oldest.deadline) return this.#watch();
      // What comes after it on this connection waits for it too.
      this.#end(new TimeoutError("Request timed out"));
    }, Math.max(1, Math.ceil(left)));
  }

  /** No new requests from then on; those that run end first. */
  #retireAfter(ms: number): void {
    this.#loginTimer = setTimeout(() => {
      this.#retired = true;
      this.#options.onEnd();
      if (this.#pending.length === 0) this.#end(new NetworkError("Connection closed"));
    }, ms);
  }

  #lose(error: unknown): void {
    this.#end(
      error instanceof NetworkError
        ? error
        : new NetworkError("Connection error", { cause: error as Error }),
    );
  }

  #end(error: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    clearTimeout(this.#timer);
    clearTimeout(this.#loginTimer);
    this.#transport.close();
    this.#options.onEnd();
    for (const { fail } of this.#pending.splice(0)) fail(error);
  }
}

/** A request in the pieces in which it goes out. */
function encode(
  { key, version, flexible = true }: Call,
  correlation: number,
  write: (to: RequestWriter) => void,
): readonly Uint8Array[] {
  const lengthUnknown = 0;
  const to = new RequestWriter().int32(lengthUnknown).int16(key).int16(version).int32(correlation);
  to.string16(CLIENT_ID);
  if (flexible) to.noTags();
  write(to);
  const pieces = to.pieces();
  const { buffer, byteOffset } = pieces[0]!;
  new DataView(buffer, byteOffset).setInt32(0, to.size - LENGTH_BYTES);
  return pieces;
}

/** @throws when this cannot be the length of an answer. */
function sizeOf(bytes: Uint8Array): number {
  // A TLS record: handshake or alert, version 3.
  if (bytes[0]! >= 0x14 && bytes[0]! <= 0x17 && bytes[1] === 3 && bytes[2]! <= 4) {
    throw new NetworkError("Broker requires TLS.", { canRetry: false });
  }
  const size = new DataView(bytes.buffer).getInt32(0);
  if (size < LENGTH_BYTES || size > MAX_ANSWER_BYTES) {
    throw new NetworkError("What answers is not Kafka", { canRetry: false });
  }
  return size;
}
