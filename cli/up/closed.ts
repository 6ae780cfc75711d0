// What an edit of a `framelane.yaml` names that its run may not touch: permissions are fixed at the start.
import { resolve } from "node:path";
import { AccessPlan, fileRow, type LaunchTable } from "../launch/access.ts";
import table from "../launch/table.json" with { type: "json" };
import { optionsOf } from "./opens.ts";

/** What is closed, each as a fault that says how to open it. */
export function closedPlaces(
  content: string,
  environment: (name: string) => string | undefined,
): string[] {
  // The log, state and checkpoints stay as they are, and so does a viewer that may not listen where an edit says.
  const plan = new AccessPlan(table as LaunchTable, resolve(".").replaceAll("\\", "/"), [
    ...["listen", "log", "database", "folder"] as const,
  ]);
  const options = optionsOf(content, environment);
  const row = fileRow(table as LaunchTable);
  const { read, write, net = [], listens } = plan.of(row, options, () => undefined);
  const faults = new Set<string>();
  const look = (what: string, place: string, flag: string, wanted: Deno.PermissionDescriptor) => {
    if (Deno.permissions.querySync(wanted).state === "granted") return;
    faults.add(
      `Cannot ${what} ${
        JSON.stringify(place)
      }: this run may touch only what the file named at its ` +
        `start, and what ${flag} names; stop and start again, next time with ${flag} ${place}`,
    );
  };
  for (const { path } of write) look("write to", path, "--allow-write", { name: "write", path });
  for (const path of read) look("read", path, "--allow-read", { name: "read", path });
  for (const host of new Set(net).difference(listens)) {
    look("reach", host, "--allow-net", { name: "net", host });
  }
  return [...faults];
}
