/**
 * A Kafka broker that does as the test says: it answers every request that Framelane makes, well or
 * with an error code, or not at all. One topic is as good as another: each has one partition.
 *
 * @module
 */
import { type Api, API_VERSIONS } from "../../runtime/log/kafka/protocol/api.ts";
import * as groups from "../../runtime/log/kafka/protocol/groups.ts";
import * as topics from "../../runtime/log/kafka/protocol/topics.ts";
import * as transactions from "../../runtime/log/kafka/protocol/transactions.ts";
import { RequestWriter, ResponseReader } from "../../runtime/log/kafka/protocol/wire.ts";
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

/** What the broker does with a request. */
export type Reply = "well" | "silent" | "close" | Mangling | { readonly errorCode: number };

/**
 * A response that is right but for: its second half, which never comes; a length of 2 GiB; the number of
 * another request; its pace, a byte now and then.
 */
export type Mangling = "half" | "huge" | "mixed" | "slow";
const MANGLINGS: readonly Reply[] = ["half", "huge", "mixed", "slow"] satisfies Mangling[];
const SLOW_MS = 100;

/** A request as the broker sees it. */
export interface Seen {
  readonly key: number;
  readonly version: number;
  /** The first name in it: of a topic, a group or a transactional id. */
  readonly name: string;
}

const PRODUCE = 0;
const FETCH = 1;
const TABLES: readonly unknown[] = [
  API_VERSIONS,
  ...Object.values(topics),
  ...Object.values(groups),
  ...Object.values(transactions),
];
/** All requests that tables describe. */
export const APIS: readonly Api<unknown, unknown>[] = TABLES.filter((
  one,
): one is Api<unknown, unknown> =>
  typeof one === "object" && one !== null && "request" in one &&
  one !== transactions.INIT_TRANSACTIONS
);

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
  readonly seen: Seen[] = [];
  readonly nodeId: number;
  #produced = 0;
  #closed = false;
  /** What is done to the response that goes out next. */
  #mangling: Reply = "well";

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
    await Promise.all(this.#serving);
  }

  #track(task: Promise<void>): void {
    this.#serving.add(task);
    void task.finally(() => this.#serving.delete(task));
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) {
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
        from.nullableString16(); // the client's name
        const response = this.#respond(key, version, from);
        if (response === "close") return closeQuietly(connection);
        if (response === "silent") continue;
        const to = new RequestWriter().int32(0).int32(correlation);
        response(to);
        const bytes = joined(to);
        new DataView(bytes.buffer).setInt32(0, bytes.length - 4);
        await this.#send(connection, bytes, this.#mangling);
      }
    } catch {
      closeQuietly(connection); // The client has gone.
    }
  }

  async #send(
    connection: Deno.Conn,
    bytes: Uint8Array<ArrayBuffer>,
    mangling: Reply,
  ): Promise<void> {
    const view = new DataView(bytes.buffer);
    if (mangling === "huge") view.setInt32(0, 0x7fffffff);
    if (mangling === "mixed") view.setInt32(4, view.getInt32(4) + 1);
    const end = mangling === "half" ? bytes.length >> 1 : bytes.length;
    for (let at = 0; at < end && !this.#closed;) {
      const piece = mangling === "slow" ? bytes.subarray(at, at + 1) : bytes.subarray(at, end);
      at += await connection.write(piece);
      if (mangling === "slow") await new Promise((next) => setTimeout(next, SLOW_MS));
    }
  }

  #respond(
    key: number,
    version: number,
    from: ResponseReader,
  ): "close" | "silent" | ((to: RequestWriter) => void) {
    if (key === PRODUCE || key === FETCH) return this.#respondByHand(key, version, from);
    const api = APIS.find((one) => one.key === key)!;
    const as = { version, flexible: version >= api.flexible };
    if (as.flexible) from.tags();
    const body = api.request.read(from, as) as Body;
    const name = nameIn(body);
    const reply = this.#reply({ key, version, name });
    if (reply === "silent" || reply === "close") return reply;
    const response = this.#wellFormed(key, body, name);
    if (typeof reply === "object") inject(response, reply.errorCode);
    return (to) => {
      if (as.flexible && key !== API_VERSIONS.key) to.noTags();
      api.response.write(to, response, as);
    };
  }

  #reply(seen: Seen): Reply {
    this.seen.push(seen);
    const reply = seen.key === API_VERSIONS.key ? "well" : this.#script(seen);
    this.#mangling = MANGLINGS.includes(reply) ? reply : "well";
    return reply;
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
            ...APIS.map(({ key, versions }) => ({
              apiKey: key,
              minVersion: versions[0],
              maxVersion: versions[1],
            })),
            { apiKey: PRODUCE, minVersion: 3, maxVersion: 9 },
            { apiKey: FETCH, minVersion: 4, maxVersion: 13 },
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
        return { ...base, ...here, coordinators: [{ ...item, ...here }] };
      case topics.CREATE_TOPICS.key:
        return {
          ...base,
          topics: [{
            ...item,
            topicId: idOf(name),
            partitionCount: 1,
            replicationFactor: 1,
            configs: null,
          }],
        };
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
          skipAssignment: false,
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
        return { ...base, topics: [place], groups: [{ group: name, errorCode, topics: [place] }] };
      case transactions.INIT_PRODUCER_ID.key:
        return { ...base, producerId: 7n, epoch: 0 };
      case transactions.DESCRIBE_TRANSACTIONS.key: {
        const described = { state: "Empty", timeoutMs: 0, startTime: 0, producerId: 7n, epoch: 0 };
        return { ...base, transactions: [{ ...item, ...described, topics: [] }] };
      }
      default:
        return { ...base, topics: [place] };
    }
  }

  /** Produce and fetch, in their newest versions. */
  #respondByHand(
    key: number,
    version: number,
    from: ResponseReader,
  ): "close" | "silent" | ((to: RequestWriter) => void) {
    from.tags();
    if (key === PRODUCE) from.nullableString();
    from.skip(key === PRODUCE ? 2 + 4 : 4 + 4 + 4 + 4 + 1 + 4 + 4);
    from.count();
    const topic = key === PRODUCE ? from.string() : from.uuid();
    const name = key === PRODUCE ? topic : nameOf(topic);
    const reply = this.#reply({ key, version, name });
    if (reply === "silent" || reply === "close") return reply;
    const code = typeof reply === "object" ? reply.errorCode : 0;
    if (key === PRODUCE && code === 0) this.#produced++;
    return (to) => {
      to.noTags();
      if (key === FETCH) to.int32(0).int16(0).int32(0);
      to.structs([topic], () => {
        if (key === PRODUCE) to.string(topic);
        else to.uuid(topic);
        to.structs([0], (partition) => {
          to.int32(partition).int16(code);
          if (key === PRODUCE) {
            to.int64(this.#produced - 1).int64(-1).int64(0).count(0).string(null);
          } else to.int64(0).int64(0).int64(0).count(0).int32(-1).count(0);
        });
      });
      if (key === PRODUCE) to.int32(this.throttleMs);
      to.noTags();
    };
  }
}
