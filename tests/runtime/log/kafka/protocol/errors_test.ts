/** Every error code as the answer to every request: each pair has the outcome that the table gives, in time. */
import assert from "node:assert/strict";
import { LogError, type ReadProblem } from "../../../../../runtime/log/log.ts";
import { openLog } from "../../../../../runtime/log/open.ts";
import { parseAddress } from "../../../../../runtime/log/kafka/net/address.ts";
import { Cluster } from "../../../../../runtime/log/kafka/net/cluster.ts";
import { toLogError } from "../../../../../runtime/log/kafka/net/failures.ts";
import { type Api, API_VERSIONS, errorOf } from "../../../../../runtime/log/kafka/protocol/api.ts";
import {
  type ErrorKind,
  errorKind,
  REPEATED,
  ResponseError,
} from "../../../../../runtime/log/kafka/protocol/errors.ts";
import { APIS, ScriptedBroker, type Seen } from "../../../../support/scripted_broker.ts";

/** Longer than a loaded machine needs for any answer. */
const TIMEOUT_MS = 120_000;

/** The name of a pair says which request is answered with which code. */
const nameOf = (key: number, code: number) => `${key}x${code}`;
const script = ({ key, name }: Seen) => {
  const [wanted, code] = name.split("x").map(Number);
  return wanted === key ? { errorCode: code! } : "well";
};
/** All codes of the table, and one beyond the protocol, as a broker of the future may answer. */
const CODES = Array.from({ length: 1_001 }, (_, index) => index - 1)
  .filter((code) => code === 999 || !errorKind(code).name.startsWith("error "));

/** Resolves when a request has been made for the second time. */
type Repeated = (key: number, name: string) => Promise<void>;

async function withBroker(
  test: (broker: ScriptedBroker, repeated: Repeated) => Promise<void>,
): Promise<void> {
  const made = new Map<string, { times: number; again: PromiseWithResolvers<void> }>();
  const madeOf = (key: number, name: string) => {
    const place = `${key} ${name}`;
    const found = made.get(place) ?? { times: 0, again: Promise.withResolvers<void>() };
    made.set(place, found);
    return found;
  };
  const broker = new ScriptedBroker((seen) => {
    const one = madeOf(seen.key, seen.name);
    if (++one.times === 2) one.again.resolve();
    return script(seen);
  });
  try {
    await test(broker, (key, name) => madeOf(key, name).again.promise);
  } finally {
    await broker.close();
  }
}

/** A request with the name in it, and nothing else that matters. */
function bodyOf(name: string): Record<string, unknown> {
  const partition = { partition: 0, leaderEpoch: 0, timestamp: 0, offset: 0, metadata: "" };
  const assigned = { partitions: 1, count: 1, replicationFactor: 1, assignments: [], configs: [] };
  return {
    group: name,
    key: name,
    keyType: 0,
    transactionalId: name,
    transactionalIds: [name],
    statesFilter: [name],
    timeoutMs: 1,
    producerId: 1n,
    epoch: 0,
    generation: 1,
    memberId: "m",
    instanceId: null,
    sessionTimeoutMs: 1,
    rebalanceTimeoutMs: 1,
    protocolType: "c",
    protocolName: "c",
    protocols: [],
    assignments: [],
    members: [{ memberId: "m", instanceId: null }],
    includeAuthorizedOperations: false,
    retentionTimeMs: -1,
    requireStable: false,
    committed: true,
    replicaId: -1,
    isolationLevel: 1,
    validateOnly: false,
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
    topics: [{ topicId: "0".repeat(32), name, ...assigned, partitions: [partition] }],
  };
}

/** The fields of a table that differ in type from one request to another. */
const SPECIAL: Readonly<Record<string, (name: string) => Record<string, unknown>>> = {
  CreateTopics: (name) => ({
    topics: [{ name, partitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
  }),
  CreatePartitions: (name) => ({ topics: [{ name, count: 1, assignments: null }] }),
  AddPartitionsToTxn: (name) => ({ topics: [{ name, partitions: [0] }] }),
  DescribeGroups: (name) => ({ groups: [name] }),
};

Deno.test("each error code of each request has the outcome of the table", async () => {
  await withBroker(async (broker, repeated) => {
    const cluster = new Cluster(await parseAddress(broker.url), TIMEOUT_MS);
    const ask = (api: Api<unknown, unknown>, name: string, enough = new AbortController().signal) =>
      cluster.attempt("Cannot ask", (signal) => {
        enough.throwIfAborted();
        return cluster.any(signal, (connection, signal) => {
          const body = { ...bodyOf(name), ...SPECIAL[api.name]?.(name) };
          return connection.call(api, body, { signal });
        });
      });
    const checkPair = async (api: Api<unknown, unknown>, code: number) => {
      const name = nameOf(api.key, code);
      const { kind, place } = errorOf(code)!;
      const pair = `${api.name} ${kind.name}`;
      const answer = new ResponseError([{ kind, place }]);
      if (REPEATED.has(kind.outcome)) {
        const enough = new AbortController();
        const asking = ask(api, name, enough.signal).then(() => "an answer", String);
        assert.equal(await Promise.race([repeated(api.key, name), asking]), undefined, pair);
        enough.abort(new Error("it was asked twice"));
        assert.match(await asking, /it was asked twice/, pair);
        return checkError(toLogError(answer, "Cannot ask", ""), kind, pair);
      }
      checkError(await ask(api, name).then(() => undefined, (error) => error), kind, pair);
      const times = broker.seen.filter((seen) => seen.key === api.key && seen.name === name);
      assert.equal(times.length, 1, pair);
    };
    try {
      await ask(APIS.find(({ name }) => name === "Metadata")!, "well");
      const asked = APIS.filter((api) => api !== API_VERSIONS);
      assert.equal(asked.length, 19);
      for (const api of asked) {
        await ask(api, "well");
        await Promise.all(CODES.map((code) => checkPair(api, code)));
      }
    } finally {
      await cluster.close();
    }
  });
});

function checkError(error: unknown, kind: ErrorKind, pair: string): void {
  assert.ok(error instanceof LogError, `${pair}: ${error}`);
  assert.equal(error.code, kind.code, `${pair}: ${error.message}`);
  assert.ok(error.message.includes(kind.name), error.message);
}

Deno.test("each error code of a fetch ends the read or is reported, and none is asked for without a pause", async () => {
  await withBroker(async (broker) => {
    const log = await openLog(broker.url, { timeoutMs: TIMEOUT_MS });
    try {
      // That offsets are there after all is no error to report: asked again, ever more slowly.
      const codes = CODES.filter((code) => errorOf(code)!.kind.outcome !== "look-up-offsets");
      await Promise.all(codes.map(async (code) => {
        const name = nameOf(1, code);
        const told = Promise.withResolvers<ReadProblem | undefined>();
        const partition = await (await log.reader()).open(name, 0, 0, told.resolve);
        const ended = partition.read(1).then(() => "a frame", (error) => error.message);
        const outcome = await Promise.race([told.promise, ended]);
        const { kind } = errorOf(code)!;
        const message = typeof outcome === "object" ? outcome.message : outcome;
        assert.ok(message.includes(kind.name), `${kind.name}: ${message}`);
        if (typeof outcome === "object") assert.equal(outcome.reason, kind.name);
        const times = broker.seen.filter((seen) => seen.key === 1 && seen.name === name);
        assert.ok(times.length < 10, `${kind.name}: ${times.length} fetches`);
        await partition.close();
        await ended;
      }));
    } finally {
      await log.close();
    }
  });
});

Deno.test("each error code of an append settles it", async () => {
  await withBroker(async (broker) => {
    // What is repeated ends with this time.
    const log = await openLog(broker.url, { timeoutMs: 10_000 });
    const producer = await log.producer();
    const record = { key: null, value: new Uint8Array(1), timestamp: 1, headers: {} };
    try {
      await Promise.all(CODES.map(async (code) => {
        const { kind } = errorOf(code)!;
        const outcome = await producer.append(nameOf(0, code), 0, [record])
          .then((offset) => offset, (error) => error);
        if (kind.outcome === "done") return assert.equal(outcome, -1, kind.name);
        assert.ok(outcome instanceof LogError, `${kind.name}: ${outcome}`);
        assert.equal(outcome.code, kind.code, `${kind.name}: ${outcome.message}`);
      }));
    } finally {
      await log.close();
    }
  });
});
