// What the tests of requests need: the bytes that Framelane sends, beside those of another client.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Api } from "../../../../../runtime/log/kafka/protocol/api.ts";
import { RequestWriter } from "../../../../../runtime/log/kafka/protocol/wire.ts";

/** The bytes that `write` writes. */
export function written(write: (to: RequestWriter) => void): Uint8Array<ArrayBuffer> {
  const to = new RequestWriter();
  write(to);
  const size = to.size;
  const bytes = Buffer.concat(to.pieces());
  assert.equal(bytes.length, size);
  return new Uint8Array(bytes);
}

/** The bytes that a request sends, without its header. */
export function sent<Request>(
  api: Api<Request, unknown>,
  body: Request,
  version = api.versions[1],
): Uint8Array {
  const as = { version, flexible: version >= api.flexible };
  return written((to) => api.request.write(to, body, as));
}

/** The bytes of a request of the other client. */
export const bytesOf = ({ buffer }: { readonly buffer: Uint8Array }) => new Uint8Array(buffer);

/** Requests by name, as Framelane writes them and as another client does. */
export type Requests = Record<string, () => [ours: Uint8Array, theirs: Uint8Array]>;

/** Registers one test for each request. */
export function writtenAlike(requests: Requests): void {
  for (const [name, both] of Object.entries(requests)) {
    Deno.test(`a request is written as another client writes it: ${name}`, () => {
      const [ours, theirs] = both();
      assert.ok(ours.length > 0);
      assert.deepEqual(ours, theirs);
    });
  }
}
