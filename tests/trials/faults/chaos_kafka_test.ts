/** Each node of three is held, cut off, killed and restarted in turn; the silences, librdkafka's beside them. */
import assert from "node:assert/strict";
import { chaos, FAULTS, type Outcome } from "../../faults/chaos.ts";
import { Random } from "../../support/random.ts";
import { reportRow, say } from "../../support/trial_report.ts";

/** What lanes may be silent whose brokers are well, and what a client may need beside the cluster's own failover. */
const WELL_MS = 6_000;
const CLIENT_MS = 3_000;
const LASTING_MS = 25_000;

for (const fault of FAULTS) {
  Deno.test(`each node of three ${fault} in turn`, async () => {
    const random = Random.fromEnvironment(1);
    const nodes = [0, 1, 2].sort(() => random.next() - 0.5);
    say(`seed ${random.seed}: nodes ${nodes.map((node) => node + 1).join(", ")}`);
    const outcomes = await chaos(
      nodes.map((node) => ({ fault, node })),
      { lastingMs: LASTING_MS, restMs: 8_000, peers: true },
    );
    reportRow({
      fault: `one of three Kafka nodes ${fault} for ${LASTING_MS / 1000} s, each in turn (silence)`,
      repetitions: outcomes.length,
      verdict: { lost: 0, doubled: 0, reordered: 0 },
      recoveryMs: outcomes.map((outcome) => worst(outcome, "struck")),
    });
    say(`| ${fault} | ${row(outcomes)} |`);
    for (const outcome of outcomes) {
      // The followers of a leader that is well hold its records back until the cluster has given them up.
      const given = outcome.failoverMs ?? 0;
      assert.ok(worst(outcome, "well") <= Math.max(WELL_MS, given + CLIENT_MS), "brokers well");
      const over = outcome.failoverMs ?? LASTING_MS;
      assert.ok(worst(outcome, "struck") <= over + CLIENT_MS, "broker struck");
    }
  });
}

function worst({ silences }: Outcome, kind: "well" | "struck"): number {
  return Math.max(
    ...[...silences].map(([name, of]) => name === "librdkafka" ? 0 : of[kind]),
  );
}

/** Failover, then each stream's worst silence, brokers well and struck. */
function row(outcomes: readonly Outcome[]): string {
  const seconds = (all: readonly number[]) => (Math.max(...all) / 1000).toFixed(1);
  const given = outcomes.flatMap(({ failoverMs = [] }) => failoverMs);
  const names = [...outcomes[0]!.silences.keys()];
  return [
    given.length === 0 ? "–" : seconds(given),
    ...names.map((name) => {
      const of = outcomes.map(({ silences }) => silences.get(name)!);
      return `${seconds(of.map(({ well }) => well))} / ${seconds(of.map(({ struck }) => struck))}`;
    }),
    seconds(outcomes.map(({ startMs }) => startMs)),
  ].join(" | ");
}
