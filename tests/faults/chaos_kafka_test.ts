/** The short version of the trial: one node, one fault, chosen by the seed. */
import { chaos, FAULTS } from "./chaos.ts";
import { Random } from "../support/random.ts";
import { say } from "../support/trial_report.ts";

Deno.test("a node of three in trouble costs no frame and doubles none", async () => {
  const random = Random.fromEnvironment(1);
  const blow = { fault: random.pick(FAULTS), node: random.whole(0, 2) };
  const replicas = random.pick([1, 3] as const);
  say(`seed ${random.seed}: node ${blow.node + 1} is ${blow.fault}, replicas: ${replicas}`);
  await chaos([blow], { lastingMs: 6_000, restMs: 1_000, peers: false, replicas });
});
