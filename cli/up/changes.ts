// Determines what an edit changes.
import { given } from "../../runtime/base/options.ts";
import type { Plan } from "./resolve.ts";

/**
 * Finds edits of a file by reading it again and again: a content counts once it was read twice, since another
 * program may still be writing.
 */
export function editsOf(first: string): (read: string) => string | undefined {
  let [known, before] = [first, first];
  return (now) => {
    const isWhole = now === before;
    before = now;
    return isWhole && now !== known ? known = now : undefined;
  };
}

/** A change of one part: `CAMERA-1 of T`, `query motion`, `viewer`. */
interface Change {
  readonly part: string;
  readonly what: "starts" | "stops" | "restarts";
}

/** An edited plan with what cannot change while it runs: open files, executors, where the viewer listens. */
export function withFixed(edited: Plan, { log, state, checkpoint, executors, viewer }: Plan): Plan {
  const { topics, cameras, queries } = edited;
  const address = given({ hostname: viewer?.hostname, port: viewer?.port });
  const shown = viewer && edited.viewer && { ...edited.viewer, ...address };
  const fixed = { log, state, ...given({ checkpoint, executors, viewer: shown }) };
  return { topics, cameras, queries, ...fixed };
}

/** The parts of a plan by name, each with everything it depends on. */
function partsOf({ cameras, queries, viewer, topics }: Plan): Map<string, string> {
  const parts: [string, unknown][] = [
    ...cameras.map(({ topic, camera }): [string, unknown] => [
      `CAMERA-${camera.number} of ${topic}`,
      camera,
    ]),
    ...queries.map((query): [string, unknown] => [`query ${query.name}`, query]),
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
