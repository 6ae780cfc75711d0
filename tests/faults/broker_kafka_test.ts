/** A broker that is held, shut down and killed under queries and cameras; and one that is away at start. */
import { brokerTrial, during } from "./broker.ts";

/** Longer than the session timeout. The long version takes 70 s. */
const AWAY_MS = 4000;

Deno.test("a broker is held, stopped, killed and away at start: nothing lost, doubled or reordered", async () => {
  await brokerTrial(1, async ({ kafka, bed, recovered }) => {
    const [node] = kafka.nodes;
    const first = bed.start();
    await bed.owns(first, bed.partitions);

    await node!.pause();
    await during(AWAY_MS);
    node!.resume();
    await recovered();

    await node!.stop();
    await during(AWAY_MS);
    await node!.start();
    await recovered();

    await bed.kill(first);
    await node!.kill();
    // Started while there is no broker.
    const second = bed.start();
    await second.until("a word about the broker", ({ said }) => said.length > 0);
    await node!.start();
    await recovered();
  });
});
