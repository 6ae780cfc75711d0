import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer } from "node:net";
import { describeCause } from "../../cameras/net/connection.ts";
import { get } from "../../cameras/net/http.ts";
import { SourceError } from "../../cameras/source.ts";

Deno.test("a host with several addresses that all refuse: the cause is said, once", async () => {
  const { promise, resolve } = Promise.withResolvers<Error>();
  const addresses = ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 }));
  connect({ host: "camera", port: 1, lookup: (_host, _options, done) => done(null, addresses) })
    .on("error", resolve);
  const error = await promise;
  assert.ok(error instanceof AggregateError);
  assert.equal(describeCause(error), "connection refused");
});

Deno.test("a connection that breaks within an answer has ended: the camera is opened again", async () => {
  const answered = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    answered.promise.then(() => socket.resetAndDestroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const { signal } = new AbortController();
    using response = await get(new URL(`http://127.0.0.1:${port}/`), { signal });
    answered.resolve();
    await assert.rejects(Array.fromAsync(response.body), (error) => {
      assert.ok(error instanceof SourceError && error.code === "ENDED" && error.retryable);
      assert.match(error.message, /^the connection broke: connection reset/);
      return true;
    });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});
