/** The permissions that docs/security.md names are enough, on a broker that grants nothing else. */
import assert from "node:assert/strict";
import {
  AclOperations,
  AclPermissionTypes,
  Admin,
  ResourcePatternTypes,
  ResourceTypes,
} from "@platformatic/kafka";
import type { TopicLog } from "../../../runtime/log/log.ts";
import { openLog } from "../../../runtime/log/open.ts";
import { eventually, join, readAll, record, records } from "../../contracts/log_contract_kit.ts";
import { withKafka } from "../../support/kafka.ts";

const PASSWORD = "pw";
const [FRAMES, OUT, STATE, GROUP] = ["frames", "out", "__framelane_state", "edges"];
const { TOPIC, GROUP: GROUPS, TRANSACTIONAL_ID } = ResourceTypes;
const { READ, WRITE, DESCRIBE } = AclOperations;

/** What the table of docs/security.md says, a line each. */
const GRANTS = [
  ["camera", TOPIC, FRAMES, [DESCRIBE, WRITE]],
  ["query", TOPIC, FRAMES, [DESCRIBE, READ]],
  ["query", GROUPS, GROUP, [DESCRIBE, READ]],
  ["query", TRANSACTIONAL_ID, "framelane", [DESCRIBE, WRITE]],
  ["query", TOPIC, OUT, [DESCRIBE, WRITE]],
  ["query", TOPIC, STATE, [DESCRIBE, WRITE, READ]],
] as const;

async function grant(bootstrap: string): Promise<void> {
  const admin = new Admin({
    clientId: "acl-test",
    bootstrapBrokers: bootstrap.split(","),
    sasl: { mechanism: "PLAIN", username: "admin", password: PASSWORD },
  });
  try {
    await admin.createAcls({
      creations: GRANTS.flatMap(([user, resourceType, resourceName, operations]) =>
        operations.map((operation) => ({
          resourceType,
          resourceName,
          resourcePatternType: resourceType === TOPIC
            ? ResourcePatternTypes.LITERAL
            : ResourcePatternTypes.PREFIXED,
          principal: `User:${user}`,
          host: "*",
          operation,
          permissionType: AclPermissionTypes.ALLOW,
        }))
      ),
    });
  } finally {
    await admin.close();
  }
}

Deno.test("cameras and queries need the permissions of the documentation, and no more", async () => {
  const users = { admin: PASSWORD, camera: PASSWORD, query: PASSWORD, stranger: PASSWORD };
  await withKafka({
    security: { protocol: "SASL_PLAINTEXT", mechanisms: ["PLAIN"], users },
    extraProperties: {
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": "User:admin;User:ANONYMOUS",
    },
  }, async ({ bootstrap }) => {
    const as = async (user: string, work: (log: TopicLog) => Promise<void>) => {
      const log = await openLog(`kafka://${user}:${PASSWORD}@${bootstrap}?sasl=plain`);
      try {
        await work(log);
      } finally {
        await log.close();
      }
    };
    await as("admin", async (log) => {
      for (const topic of [FRAMES, OUT]) await log.createTopic(topic, 1);
      await log.createTopic(STATE, 4);
    });
    await grant(bootstrap);
    await as("camera", async (log) => {
      await (await log.producer()).append(FRAMES, 0, records(3));
      await assert.rejects(() => readAll(log, FRAMES, 0), /authori[sz]ation/i);
    });
    await as("query", async (log) => {
      assert.equal((await readAll(log, FRAMES, 0)).length, 3);
      const group = `${GROUP}-team`;
      const member = await join(log, { group, topic: FRAMES });
      await eventually("the partition", () => member.held()?.length === 1);
      for (const query of ["one", "two"]) {
        const committer = await log.committer({
          ...{ group, query, topic: FRAMES, partition: 0, outputTopics: [OUT] },
          membership: member.membership(),
        });
        const [range, state] = [{ batchId: 0, start: 0, end: 3 }, new Uint8Array(9_000)];
        await committer.plan(range);
        await committer.commit(range, { end: 3, restart: 3, state }, [
          { ...record(query), topic: OUT, partition: 0 },
        ]);
        await committer.close();
      }
      await member.member.leave();
      assert.equal((await log.checkpoints({ group })).length, 2);
      await assert.rejects(
        async () => await (await log.producer()).append(FRAMES, 0, records(1)),
        /authori[sz]ation/i,
      );
    });
    await as("stranger", async (log) => {
      await assert.rejects(() => readAll(log, FRAMES, 0));
    });
    await as("admin", async (log) => assert.equal((await readAll(log, OUT, 0)).length, 2));
  });
});
