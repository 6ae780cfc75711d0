/** The permissions that docs/security.md names are enough, on a broker that grants nothing else. */
import assert from "node:assert/strict";
import {
  AclOperations,
  AclPermissionTypes,
  Admin,
  ResourcePatternTypes,
  ResourceTypes,
} from "@platformatic/kafka";
import type { Membership, TopicLog } from "../../../runtime/log/log.ts";
import { eventually, readAll, record, records } from "../../contracts/log_contract_kit.ts";
import { openPatiently, withKafka } from "../../support/kafka.ts";

const PASSWORD = "pw";
const [FRAMES, OUT, STATE, GROUP] = ["frames", "out", "__framelane_state", "edges"];
const { TOPIC, GROUP: GROUPS, TRANSACTIONAL_ID } = ResourceTypes;
const { READ, WRITE } = AclOperations;

/** What the table of docs/security.md says, a line each. Read and Write bring Describe along. */
const GRANTS = [
  ["camera", TOPIC, FRAMES, WRITE],
  ["query", TOPIC, FRAMES, READ],
  ["query", GROUPS, GROUP, READ],
  ["query", TRANSACTIONAL_ID, "framelane", WRITE],
  ["query", TOPIC, OUT, WRITE],
  ["query", TOPIC, STATE, WRITE],
  ["query", TOPIC, STATE, READ],
] as const;
type Grant = typeof GRANTS[number];

const aclOf = ([user, resourceType, resourceName, operation]: Grant) => ({
  resourceType,
  resourceName,
  resourcePatternType: resourceType === TOPIC
    ? ResourcePatternTypes.LITERAL
    : ResourcePatternTypes.PREFIXED,
  principal: `User:${user}`,
  host: "*",
  operation,
  permissionType: AclPermissionTypes.ALLOW,
});

/** What a user does, whole. */
const WORK: Readonly<Record<Grant[0], (log: TopicLog) => Promise<void>>> = {
  async camera(log) {
    await (await log.producer()).append(FRAMES, 0, records(3));
  },
  async query(log) {
    assert.ok((await readAll(log, FRAMES, 0)).length >= 3);
    const group = `${GROUP}-team`;
    const assigned = Promise.withResolvers<Membership>();
    const member = await log.joinGroup({
      group,
      topic: FRAMES,
      onAssignment: ({ membership }) => Promise.resolve(assigned.resolve(membership)),
      onError: assigned.reject,
    });
    try {
      const membership = await assigned.promise;
      for (const query of ["one", "two"]) {
        const options = { group, query, topic: FRAMES, partition: 0, outputTopics: [OUT] };
        const committer = await log.committer({ ...options, membership });
        const start = committer.committed?.end ?? 0;
        const batchId = (committer.committed?.batchId ?? -1) + 1;
        const [range, state] = [{ batchId, start, end: start + 3 }, new Uint8Array(9_000)];
        await committer.plan(range);
        await committer.commit(range, { end: range.end, restart: range.end, state }, [
          { ...record(query), topic: OUT, partition: 0 },
        ]);
        await committer.close();
      }
    } finally {
      await member.leave();
    }
    assert.equal((await log.checkpoints({ group })).length, 2);
  },
};

Deno.test("cameras and queries need the permissions of the documentation, each of them, and no more", async () => {
  const users = { admin: PASSWORD, camera: PASSWORD, query: PASSWORD, stranger: PASSWORD };
  await withKafka({
    security: { protocol: "SASL_PLAINTEXT", mechanisms: ["PLAIN"], users },
    properties: {
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": "User:admin;User:ANONYMOUS",
    },
  }, async ({ bootstrap }) => {
    const as = async (user: string, work: (log: TopicLog) => Promise<void>) => {
      const log = await openPatiently(`kafka://${user}:${PASSWORD}@${bootstrap}?sasl=plain`);
      try {
        await work(log);
      } finally {
        await log.close();
      }
    };
    /** Undefined when the user's work is done, or why it was refused. */
    const refusal = (user: Grant[0]) =>
      as(user, WORK[user]).then(() => undefined, (error) => String(error.message));
    const admin = new Admin({
      clientId: "acl-test",
      bootstrapBrokers: bootstrap.split(","),
      sasl: { mechanism: "PLAIN", username: "admin", password: PASSWORD },
    });
    try {
      await as("admin", async (log) => {
        for (const topic of [FRAMES, OUT]) await log.createTopic(topic, 1);
        await log.createTopic(STATE, 4);
      });
      await admin.createAcls({ creations: GRANTS.map(aclOf) });
      for (const user of ["camera", "query"] as const) {
        await eventually(`${user}'s work`, async () => await refusal(user) === undefined);
      }
      for (const grant of GRANTS) {
        const [user, , name] = grant;
        await admin.deleteAcls({ filters: [aclOf(grant)] });
        await eventually(`a refusal without ${name}`, async () => {
          const reason = await refusal(user);
          return reason !== undefined && /authori[sz]/i.test(reason);
        });
        await admin.createAcls({ creations: [aclOf(grant)] });
        await eventually(`${user}'s work again`, async () => await refusal(user) === undefined);
      }
      await as("stranger", async (log) => {
        await assert.rejects(() => readAll(log, FRAMES, 0));
      });
    } finally {
      await admin.close();
    }
  });
});
