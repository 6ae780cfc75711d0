// Determines which running parts an edit changes.
import type { Plan } from "./resolve.ts";

/** A change of one part: `CAMERA-1 of T`, `query motion`, `viewer`, `log`. */
interface Change {
  readonly part: string;
  readonly what: "starts" | "stops" | "restarts";
}

/** The parts of a plan by name, each with everything it depends on. */
function partsOf(plan: Plan): Map<string, string> {
  const { cameras, queries, viewer, topics } = plan;
  const parts: [string, unknown][] = [
    ["log", {
      log: plan.log,
      state: plan.state,
      checkpoint: plan.checkpoint,
      executors: plan.executors,
    }],
    ...cameras.map(({ topic, camera }) =>
      [`CAMERA-${camera.number} of ${topic}`, camera] as [string, unknown]
    ),
    ...queries.map((query) => [`query ${query.name}`, query] as [string, unknown]),
    // The shown topics are part of the viewer.
    ...(viewer === undefined ? [] : [["viewer", { viewer, topics }] as [string, unknown]]),
  ];
  return new Map(parts.map(([name, value]) => [name, JSON.stringify(value)]));
}

/** The parts that an edit starts, stops or restarts. */
export function changesOf(before: Plan, after: Plan): Change[] {
  const [old, fresh] = [partsOf(before), partsOf(after)];
  return [
    ...[...old.keys()].filter((part) => !fresh.has(part)).map((part) =>
      ({ part, what: "stops" }) as const
    ),
    ...[...fresh].flatMap(([part, version]): Change[] => {
      const known = old.get(part);
      if (known === version) return [];
      return [{ part, what: known === undefined ? "starts" : "restarts" }];
    }),
  ];
}
