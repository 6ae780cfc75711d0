// A Kafka broker that does as the test says: it answers every request that Framelane makes, well or
// with an error code, or not at all. One topic is as good as another: each has one partition.
import { PRODUCE } from "../../runtime/log/kafka/append/produce.ts";
import { type Api, API_VERSIONS } from "../../runtime/log/kafka/protocol/api.ts";
import * as groups from "../../runtime/log/kafka/protocol/groups.ts";
import * as topics from "../../runtime/log/kafka/protocol/topics.ts";
import * as transactions from "../../runtime/log/kafka/protocol/transactions.ts";
import { RequestWriter, ResponseReader } from "../../runtime/log/kafka/protocol/wire.ts";
import { FETCH_TABLE } from "./fetch_table.ts";
import {
  type Body,
  closeQuietly,
  idOf,
  inject,
  joined,
  nameIn,
  nameOf,
  take,
} from "./scripted_bytes.ts";

/** What the broker does with a request. `slow`: it answers a byte now and then. */
export type Reply = "well" | "silent" | "close" | "slow" | { readonly errorCode: number } | Lie;

/** Changes an answer that was right: its fields, or its bytes from the length on. */
export type Lie =
  // deno-lint-ignore no-explicit-any -- a liar answers anything
  | { readonly fields: (answer: any) => void }
  | { readonly bytes: (frame: Uint8Array<ArrayBuffer>) => Uint8Array };

const SLOW_MS = 100;

/** A request as the broker sees it. */
export interface Seen {
  readonly key: number;
  readonly version: number;
  /** The first name in it: of a topic, a group or a transactional id. */
  readonly name: string;
  /** What a produce request holds. */
  readonly batches: Uint8Array | undefined;
}

const TABLES: readonly unknown[] = [
  API_VERSIONS,
  ...Object.values(topics),
  ...Object.values(groups),
  ...Object.values(transactions),
];
/** All requests that tables describe. */
export const APIS: readonly Api<unknown, unknown>[] = TABLES.filter(isApi);

function isApi(one: unknown): one is Api<unknown, unknown> {
  return typeof one === "object" && one !== null && "request" in one &&
    one !== transactions.INIT_TRANSACTIONS;
}

/** The topic that records are about. */
function nameOfTopic(key: number, { topics }: Body): string | undefined {
  const topic = topics?.[0];
  if (key === PRODUCE.key) return topic!.name;
  return key === FETCH_TABLE.key ? topic!.name || nameOf(topic!.topicId!) : undefined;
}

const ALL: readonly Api<unknown, unknown>[] = [...APIS, PRODUCE, FETCH_TABLE].filter(isApi);

/** A broker on a port of its own. */
export class ScriptedBroker {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Set<Deno.Conn>();
  readonly #serving = new Set<Promise<void>>();
  readonly #script: (seen: Seen) => Reply;
  /** Other brokers of the cluster. */
  readonly peers: { readonly nodeId: number; readonly port: number }[] = [];
  /** The port that it gives for itself, if not its own. */
  advertised: number | undefined;
  /** How long it wants no more produce requests. */
  throttleMs = 0;
  /** How long it takes to answer a produce request. */
  delayMs = 0;
  readonly seen: Seen[] = [];
  readonly nodeId: number;
  #produced = 0;
  #closed = false;

  /** @param script says what is done with each request; ApiVersions are always answered. */
  constructor(script: (seen: Seen) => Reply = () => "well", nodeId = 1) {
    this.#script = script;
    this.nodeId = nodeId;
    this.#track(this.#accept());
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  get url(): string {
    return `kafka://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listener.close();
    for (const connection of this.#connections) closeQuietly(connection);
    while (this.#serving.size > 0) await Promise.all(this.#serving);
  }

  #track(task: Promise<void>): void {
    this.#serving.add(task);
    void task.finally(() => this.#serving.delete(task));
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) {
        // Accepted while it was being closed.
        if (this.#closed) closeQuietly(connection);
        this.#connections.add(connection);
        this.#track(this.#serve(connection));
      }
    } catch {
      // The listener was closed.
    }
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    try {
      for (;;) {
        const size = new DataView((await take(connection, 4)).buffer).getInt32(0);
        const from = new ResponseReader(await take(connection, size));
        const [key, version, correlation] = [from.int16(), from.int16(), from.int32()];
        from.nullableString(false); // the client's name
        const api = ALL.find((one) => one.key === key)!;
        const as = { version, flexible: version >= api.flexible };
        if (as.flexible) from.tags();
        const body = api.request.read(from, as) as Body;
        const name = nameOfTopic(key, body) ?? nameIn(body);
        const batches = body.topics?.[0]?.partitions?.[0]?.batches;
        const reply = this.#reply({ key, version, name, batches });
        if (reply === "close") return closeQuietly(connection);
        if (reply === "silent") continue;
        const refused = typeof reply === "object" && "errorCode" in reply;
        if (key === PRODUCE.key && !refused) this.#produced++;
        if (key === PRODUCE.key && this.delayMs > 0) {
          await new Promise((next) => setTimeout(next, this.delayMs));
        }
        const response = this.#wellFormed(key, body, name);
        if (refused) inject(response, reply.errorCode);
        if (typeof reply === "object" && "fields" in reply) reply.fields(response);
        const to = new RequestWriter().int32(0).int32(correlation);
        if (as.flexible && key !== API_VERSIONS.key) to.noTags();
        api.response.write(to, response, as);
        const bytes = joined(to);
        new DataView(bytes.buffer).setInt32(0, bytes.length - 4);
        const lies = typeof reply === "object" && "bytes" in reply;
        await this.#send(connection, lies ? reply.bytes(bytes) : bytes, reply === "slow");
      }
    } catch {
      closeQuietly(connection); // The client has gone.
    }
  }

  async #send(connection: Deno.Conn, bytes: Uint8Array, slow: boolean): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#closed;) {
      at += await connection.write(slow ? bytes.subarray(at, at + 1) : bytes.subarray(at));
      if (slow) await new Promise((next) => setTimeout(next, SLOW_MS));
    }
  }

  #reply(seen: Seen): Reply {
    this.seen.push(seen);
    const reply = this.#script(seen);
    const lies = typeof reply === "object" && !("errorCode" in reply);
    return seen.key === API_VERSIONS.key && !lies ? "well" : reply;
  }

  #wellFormed(key: number, body: Body, name: string): Record<string, unknown> {
    const [errorCode, throttleTimeMs, errorMessage] = [0, 0, null];
    const here = { nodeId: this.nodeId, host: "127.0.0.1", port: this.advertised ?? this.port };
    const base = { errorCode, errorMessage, throttleTimeMs };
    const partition = { partition: 0, errorCode };
    const item = { name, errorCode, errorMessage };
    const place = {
      ...item,
      partitions: [{ ...partition, offset: 0, timestamp: 0, leaderEpoch: 0, metadata: null }],
    };
    switch (key) {
      case API_VERSIONS.key:
        return {
          ...base,
          apiKeys: [
            ...ALL.map(({ key, versions }) => ({
              apiKey: key,
              minVersion: versions[0],
              maxVersion: versions[1],
            })),
          ],
        };
      case topics.METADATA.key: {
        const leader = { leaderId: this.nodeId, leaderEpoch: 0 };
        const replicas = { replicas: [1], inSyncReplicas: [1], offlineReplicas: [] };
        const peers = this.peers.map((peer) => ({ ...peer, host: "127.0.0.1", rack: null }));
        return {
          ...base,
          brokers: [{ ...here, rack: null }, ...peers],
          clusterId: "scripted",
          controllerId: this.nodeId,
          topics: (body.topics ?? []).map(({ name }) => ({
            ...item,
            name,
            topicId: idOf(name),
            isInternal: false,
            partitions: [{ ...partition, ...leader, ...replicas }],
            authorizedOperations: 0,
          })),
          clusterAuthorizedOperations: 0,
        };
      }
      case topics.FIND_COORDINATOR.key:
        return { ...base, ...here };
      case topics.CREATE_TOPICS.key:
      case topics.CREATE_PARTITIONS.key:
        return { ...base, topics: [item] };
      case groups.HEARTBEAT.key:
      case transactions.ADD_OFFSETS_TO_TXN.key:
      case transactions.END_TXN.key:
        return base;
      case groups.JOIN_GROUP.key: {
        const member = { memberId: "member", instanceId: null, metadata: new Uint8Array(0) };
        const protocol = { protocolType: "consumer", protocolName: "framelane" };
        return {
          ...base,
          ...protocol,
          generation: 1,
          leader: "other",
          memberId: "member",
          members: [member],
        };
      }
      case groups.SYNC_GROUP.key:
        return {
          ...base,
          protocolType: "consumer",
          protocolName: "framelane",
          assignment: new Uint8Array(0),
        };
      case groups.LEAVE_GROUP.key:
        return { ...base, members: [{ memberId: "member", instanceId: null, errorCode }] };
      case groups.LIST_GROUPS.key:
        return { ...base, groups: [] };
      case groups.DESCRIBE_GROUPS.key: {
        const described = { state: "Empty", protocolType: "", protocol: "", members: [] };
        return { ...base, groups: [{ ...item, ...described, authorizedOperations: 0 }] };
      }
      case groups.OFFSET_FETCH.key:
        return { ...base, topics: [place] };
      case transactions.INIT_PRODUCER_ID.key:
        return { ...base, producerId: 7n, epoch: 0 };
      case transactions.DESCRIBE_TRANSACTIONS.key: {
        const described = { state: "Empty", timeoutMs: 0, startTime: 0, producerId: 7n, epoch: 0 };
        return { ...base, transactions: [{ ...item, ...described, topics: [] }] };
      }
      case PRODUCE.key: {
        const stored = { offset: this.#produced - 1, appendTime: -1, logStart: 0 };
        const partitions = [{ ...partition, ...stored, recordErrors: [], errorMessage }];
        return { throttleTimeMs: this.throttleMs, topics: [{ name, partitions }] };
      }
      case FETCH_TABLE.key: {
        const offsets = { highWatermark: 0, lastStableOffset: 0, logStart: 0 };
        const records = { aborted: [], preferredReplica: -1, batches: new Uint8Array(0) };
        const partitions = [{ ...partition, ...offsets, ...records, diverged: false }];
        return { ...base, sessionId: 0, topics: [{ name, topicId: idOf(name), partitions }] };
      }
      default:
        return { ...base, topics: [place] };
    }
  }
}
