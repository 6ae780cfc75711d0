import assert from "node:assert/strict";
import { connect } from "node:net";
import { describeCause } from "../../cameras/net/connection.ts";

Deno.test("a host with several addresses that all refuse: the cause is said, once", async () => {
  const { promise, resolve } = Promise.withResolvers<Error>();
  const addresses = ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 }));
  connect({ host: "camera", port: 1, lookup: (_host, _options, done) => done(null, addresses) })
    .on("error", resolve);
  const error = await promise;
  assert.ok(error instanceof AggregateError);
  assert.equal(describeCause(error), "connection refused");
});
