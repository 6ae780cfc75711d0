import assert from "node:assert/strict";
import { type FetchPart, fetchParts } from "../../../../runtime/log/kafka/fetch_request.ts";
import { fetchV13, type Writer } from "../../../../runtime/log/kafka/client.ts";
import type { Connection } from "../../../../runtime/log/kafka/connections.ts";
import { READ_COMMITTED } from "../../../../runtime/log/kafka/topics.ts";

/** The bytes that a fetch sends, without its header. */
function sent(parts: readonly FetchPart[]): Uint8Array {
  let payload: Writer | undefined;
  const connection = {
    send: (_key: number, _version: number, createPayload: () => Writer) =>
      payload = createPayload(),
  } as unknown as Connection;
  void fetchParts(connection, parts, { maxWaitMs: 500, maxBytes: 8_388_608 });
  return payload!.buffer;
}

/** The same, written by the client's own encoder. */
function expected(parts: readonly FetchPart[]): Uint8Array {
  const topics = Map.groupBy(parts, ({ topicId }) => topicId);
  const request = [...topics].map(([topicId, of]) => ({
    topicId,
    partitions: of.map((part) => ({
      partition: part.partition,
      currentLeaderEpoch: part.leaderEpoch,
      fetchOffset: BigInt(part.offset),
      lastFetchedEpoch: part.fetchedEpoch,
      partitionMaxBytes: part.maxBytes,
    })),
  }));
  return fetchV13.createRequest(500, 1, 8_388_608, READ_COMMITTED, 0, -1, request, [], "").buffer;
}

function part(topic: number, partition: number, offset: number): FetchPart {
  return {
    topicId: `01234567-89ab-4def-8123-00000000000${topic}`,
    partition,
    offset,
    leaderEpoch: partition % 3,
    fetchedEpoch: partition % 2 === 0 ? -1 : partition,
    maxBytes: 2_097_152 - partition,
  };
}

for (
  const [name, parts] of [
    ["one partition", [part(1, 0, 0)]],
    ["offsets beyond 32 bits", [part(1, 0, 2 ** 31), part(1, 1, 2 ** 32), part(1, 2, 2 ** 53 - 1)]],
    ["topics in turn", [part(1, 0, 7), part(2, 0, 8), part(1, 5, 9)]],
    ["127 partitions", Array.from({ length: 127 }, (_, i) => part(1, i, i * 1000))],
    ["20,000 partitions", Array.from({ length: 20_000 }, (_, i) => part(1, i, i))],
  ] as const
) {
  Deno.test(`a fetch is written as the client writes it: ${name}`, () => {
    assert.deepEqual(new Uint8Array(sent(parts)), new Uint8Array(expected(parts)));
  });
}
