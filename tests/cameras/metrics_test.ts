import assert from "node:assert/strict";
import { CameraMetrics } from "../../cameras/metrics.ts";

Deno.test("metrics are for this machine: a foreign Host, as after DNS rebinding, is refused", async () => {
  const stop = new AbortController();
  const server = new CameraMetrics(() => []).serve(0, stop.signal);
  const { port } = server.addr;
  try {
    for (
      const [host, status] of [
        [`127.0.0.1:${port}`, "200"],
        [`localhost:${port}`, "200"],
        ["LOCALHOST", "200"],
        ["[::1]:9100", "200"],
        ["evil.example", "403"],
        [`127.0.0.1.evil.example:${port}`, "403"],
        ["localhost.evil.example", "403"],
      ] as const
    ) {
      for (const path of ["/metrics", "/healthz"]) {
        using connection = await Deno.connect({ port });
        const request = `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
        await connection.write(new TextEncoder().encode(request));
        const answer = await new Response(connection.readable).text();
        assert.equal(answer.slice(9, 12), status, `${path} of ${host}`);
      }
    }
  } finally {
    stop.abort();
    await server.finished;
  }
});
