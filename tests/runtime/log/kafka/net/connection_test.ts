import assert from "node:assert/strict";
import {
  Connection,
  type ConnectionOptions,
} from "../../../../../runtime/log/kafka/net/connection.ts";
import { api } from "../../../../../runtime/log/kafka/protocol/api.ts";
import { bytes } from "../../../../../runtime/log/kafka/protocol/fields.ts";
import type { ResponseReader } from "../../../../../runtime/log/kafka/protocol/wire.ts";
import { openLog } from "../../../../../runtime/log/open.ts";
import { VERSION } from "../../../../../runtime/base/version.ts";
import { PATIENCE_MS } from "../../../../support/until.ts";

const CALL = { name: "Metadata", key: 3, version: 12, flexible: true };
const NO_ANSWER = api("Metadata", 3, [0, 9], 9, { request: bytes, response: bytes });
/** No error, one request in versions 0 to 9; as version 3 of the response has it, and as version 0. */
const VERSIONS = new Uint8Array([0, 0, 2, 0, 3, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0]);
const VERSIONS_0 = new Uint8Array([0, 0, 0, 0, 0, 1, 0, 3, 0, 0, 0, 9]);
const UNSUPPORTED_VERSION_0 = new Uint8Array([0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 2]);

/** What came over one connection. */
interface Served {
  /** The next request without its length. */
  request(): Promise<Uint8Array>;
  /** The correlation number of the next request. */
  next(): Promise<number>;
  write(bytes: Uint8Array): Promise<void>;
  /** True when the client has ended the connection. */
  ended(): Promise<boolean>;
  close(): void;
}

/** A broker that does as the test says, and a connection to it. */
async function connected(
  test: (connection: Connection, broker: Served, ends: () => number) => Promise<void>,
  options: Partial<ConnectionOptions> = {},
): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const { port } = listener.addr as Deno.NetAddr;
  let ends = 0;
  const opening = Connection.open({ host: "127.0.0.1", port }, {
    connectTimeoutMs: PATIENCE_MS,
    requestTimeoutMs: PATIENCE_MS,
    signal: new AbortController().signal,
    onEnd: () => ends++,
    ...options,
  });
  const broker = serve(await accepted);
  await broker.write(headless(await broker.next(), VERSIONS));
  const connection = await opening;
  try {
    await test(connection, broker, () => ends);
  } finally {
    await connection.close();
    broker.close();
  }
}

function serve(socket: Deno.Conn): Served {
  let closed = false;
  const read = async (length: number) => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const count = await socket.read(bytes.subarray(at));
      if (count === null) throw new Error("The client has gone");
      at += count;
    }
    return bytes;
  };
  const request = async () => await read(new DataView((await read(4)).buffer).getInt32(0));
  return {
    request,
    next: async () => new DataView((await request()).buffer).getInt32(4),
    async write(bytes) {
      for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
    },
    ended: async () => await socket.read(new Uint8Array(1)) === null,
    close() {
      if (!closed) socket.close();
      closed = true;
    },
  };
}

/** A response with the header of version 0. */
function headless(correlation: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + body.length);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, 4 + body.length);
  view.setInt32(4, correlation);
  bytes.set(body, 8);
  return bytes;
}

/** A response with its length and without tagged fields. */
function answer(correlation: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(9 + body.length);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, 5 + body.length);
  view.setInt32(4, correlation);
  bytes.set(body, 9);
  return bytes;
}

const ask = (connection: Connection) =>
  connection.request(CALL, () => {}, (from: ResponseReader) => from.take(from.left));

const filled = (length: number, seed: number) =>
  new Uint8Array(length).map((_, i) => (i * 31 + seed) & 255);

Deno.test("the broker learns which software connects, unless it is too old to ask", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const opening = Connection.open({ host: "127.0.0.1", port }, {
    connectTimeoutMs: PATIENCE_MS,
    requestTimeoutMs: PATIENCE_MS,
    signal: new AbortController().signal,
    onEnd: () => {},
  });
  const broker = serve(await listener.accept());
  const first = await broker.request();
  assert.deepEqual([first[1], first[3]], [18, 3]);
  const text = new TextDecoder().decode(first.subarray(20));
  assert.equal(text, `\x0aframelane${String.fromCharCode(VERSION.length + 1)}${VERSION}\0`);
  await broker.write(headless(1, UNSUPPORTED_VERSION_0));
  assert.deepEqual((await broker.request()).subarray(0, 8), Uint8Array.of(0, 18, 0, 0, 0, 0, 0, 2));
  await broker.write(headless(2, VERSIONS_0));
  const connection = await opening;
  assert.equal(connection.versions.call(NO_ANSWER).version, 9);
  await connection.close();
  broker.close();
});

Deno.test("answers of any size reach their requests, however they are cut", async () => {
  await connected(async (connection, broker) => {
    const sizes = [0, 1, 7, 65_522, 65_526, 65_527, 65_528, 65_536, 300_000, 3, 90_000, 2];
    const asked = sizes.map(() => ask(connection));
    const numbers: number[] = [];
    for (const _ of sizes) numbers.push(await broker.next());
    const all = sizes.map((size, i) => answer(numbers[i]!, filled(size, i)));
    const stream = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const bytes of all) {
      stream.set(bytes, at);
      at += bytes.length;
    }
    for (let cut = 0, step = 1; cut < stream.length; cut += step, step = step * 7 % 9973 + 1) {
      await broker.write(stream.subarray(cut, cut + step));
    }
    const answers = await Promise.all(asked);
    for (const [i, bytes] of answers.entries()) assert.deepEqual(bytes, filled(sizes[i]!, i));
  });
});

Deno.test("a broker that goes fails what is asked, and the connection's owner hears of it", async () => {
  await connected(async (connection, broker, ends) => {
    const asked = ask(connection);
    await broker.next();
    broker.close();
    await assert.rejects(asked, /closed the connection/);
    assert.equal(ends(), 1);
    await assert.rejects(ask(connection), /closed the connection/);
    await assert.rejects(connection.send(NO_ANSWER, new Uint8Array(0)), /closed the connection/);
  });
});

Deno.test("an answer that does not come in time ends the connection", async () => {
  await connected(async (connection, broker, ends) => {
    await assert.rejects(ask(connection), /no response within 1000 ms/);
    assert.equal(ends(), 1);
    await broker.next();
    assert.equal(await broker.ended(), true);
  }, { requestTimeoutMs: 1_000 });
});

Deno.test("a server that is not Kafka is named as such", async () => {
  for (
    const [bytes, message] of [
      [new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n"), /not a Kafka broker/],
      [new Uint8Array([0x15, 3, 3, 0, 2, 2, 70]), /requires TLS/],
      [new Uint8Array([0, 0, 0, 3, 1, 1, 1]), /not a Kafka broker/],
      [answer(77, new Uint8Array(4)), /sent response 77, expected 2/],
    ] as const
  ) {
    await connected(async (connection, broker) => {
      const asked = ask(connection);
      await broker.next();
      await broker.write(bytes);
      await assert.rejects(asked, message);
    });
  }
});

Deno.test("a broker that closes the connection in the TLS handshake may be stopping: it is tried again", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let closed = 0;
  const closing = (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(4096));
      connection.close();
      if (++closed === 2) break;
    }
  })();
  const log = await openLog(`kafka://127.0.0.1:${(listener.addr as Deno.NetAddr).port}?tls=true`);
  await assert.rejects(log.topics(), {
    code: "UNREACHABLE",
    retryable: true,
    message: /closed the connection in the TLS handshake: perhaps this port is without TLS$/,
  });
  await log.close();
  await closing;
});

Deno.test("an answer that was not asked for ends the connection", async () => {
  await connected(async (_connection, broker, ends) => {
    await broker.write(answer(1, new Uint8Array(1)));
    assert.equal(await broker.ended(), true);
    assert.equal(ends(), 1);
  });
});

Deno.test("an answer that cannot be read fails its request alone", async () => {
  await connected(async (connection, broker) => {
    const bad = connection.request(CALL, () => {}, (from) => from.take(100));
    const good = ask(connection);
    await broker.write(answer(await broker.next(), filled(3, 1)));
    await broker.write(answer(await broker.next(), filled(4, 2)));
    await assert.rejects(bad, /ends too early/);
    assert.deepEqual(await good, filled(4, 2));
  });
});

Deno.test("a session that lasts for years does not end at once", async () => {
  await connected(async (connection, broker, ends) => {
    for (let i = 0; i < 50; i++) {
      const asked = ask(connection);
      await broker.write(answer(await broker.next(), filled(3, i)));
      assert.deepEqual(await asked, filled(3, i));
    }
    assert.equal(ends(), 0);
  }, {
    credentials: { mechanism: "PLAIN", username: "u", password: "p" },
    logIn: () => Promise.resolve(2 ** 40),
  });
});

Deno.test("closing lets out what was sent without waiting for an answer", async () => {
  await connected(async (connection, broker) => {
    const large = new Uint8Array(3_000_000);
    const sending = connection.send(NO_ANSWER, large);
    const closing = connection.close();
    assert.equal(await broker.next(), 2);
    await sending;
    await closing;
    assert.equal(await broker.ended(), true);
  });
});

Deno.test("connecting is broken off by its signal and by its time", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = { host: "127.0.0.1", port: (listener.addr as Deno.NetAddr).port };
  const breaking = new AbortController();
  // The first request is what waits: a socket that Deno opens while its signal aborts is never closed.
  const wait = async (connectTimeoutMs: number, signal: AbortSignal) => {
    const options = { connectTimeoutMs, requestTimeoutMs: PATIENCE_MS, signal, onEnd() {} };
    const opening = Connection.open(address, options);
    const broker = serve(await listener.accept());
    void broker.request().catch(() => {}).then(() => breaking.abort(new Error("Not wanted")));
    const end = await opening.catch(({ message }: Error) => message);
    broker.close();
    return end;
  };
  assert.equal(await wait(PATIENCE_MS, breaking.signal), "Not wanted");
  const late = await wait(1_000, new AbortController().signal);
  assert.equal(late, "no response within 1000 ms");
});
