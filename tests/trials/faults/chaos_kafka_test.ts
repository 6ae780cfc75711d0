/** Each node of three is held, cut off, killed and restarted in turn; the silences, librdkafka's beside them. */
import assert from "node:assert/strict";
import { chaos, FAULTS, type Outcome } from "../../faults/chaos.ts";
import { Random } from "../../support/random.ts";
import { reportRow, say } from "../../support/trial_report.ts";

/** What a client may add to the cluster's own failover, and to nothing where a leader is well and waits for no other. */
const CLIENT_MS = { well: 6_000, struck: 3_000 };
const LASTING_MS = 25_000;

for (const replicas of [3, 1] as const) {
  for (const fault of FAULTS) {
    Deno.test(`each node of three ${fault} in turn, replicas: ${replicas}`, async () => {
      const random = Random.fromEnvironment(1);
      const nodes = [0, 1, 2].sort(() => random.next() - 0.5);
      say(`seed ${random.seed}: nodes ${nodes.map((node) => node + 1).join(", ")}`);
      const outcomes = await chaos(
        nodes.map((node) => ({ fault, node })),
        { lastingMs: LASTING_MS, restMs: 8_000, peers: true, replicas },
      );
      reportRow({
        fault: `one of three Kafka nodes ${fault} for ${
          LASTING_MS / 1000
        } s, each in turn, replicas: ${replicas}`,
        repetitions: outcomes.length,
        verdict: { lost: 0, doubled: 0, reordered: 0 },
        recoveryMs: outcomes.map((outcome) => worst(outcome, "struck")),
      });
      say(`| ${replicas} | ${fault} | ${row(outcomes)} |`);
      for (const outcome of outcomes) {
        for (const kind of ["well", "struck"] as const) {
          assert.ok(worst(outcome, kind) <= CLIENT_MS[kind], `node ${outcome.node + 1}: ${kind}`);
        }
      }
    });
  }
}

/** The worst silence of Framelane's streams, without the cluster's own time. */
function worst({ silences }: Outcome, kind: "well" | "struck"): number {
  return Math.max(
    ...[...silences].map(([name, of]) => name === "librdkafka" ? 0 : of[kind].client),
  );
}

/** Failover, then each stream's worst silence with and without the cluster's own time, leaders well and struck. */
function row(outcomes: readonly Outcome[]): string {
  const seconds = (all: readonly number[]) => (Math.max(...all) / 1000).toFixed(1);
  const given = outcomes.flatMap(({ failoverMs = [] }) => failoverMs);
  const names = [...outcomes[0]!.silences.keys()];
  return [
    given.length === 0 ? "–" : seconds(given),
    ...names.map((name) => {
      const of = (kind: "well" | "struck", part: "whole" | "client") =>
        seconds(outcomes.map(({ silences }) => silences.get(name)![kind][part]));
      const cell = (kind: "well" | "struck") => `${of(kind, "whole")} (${of(kind, "client")})`;
      return `${cell("well")} / ${cell("struck")}`;
    }),
    seconds(outcomes.map(({ startMs }) => startMs)),
  ].join(" | ");
}
