// Finds what an edited `framelane.yaml` names that its run may not access, since permissions are fixed at the
// start.
import { resolve } from "node:path";
import { AccessPlan, fileRow, type LaunchTable } from "../launch/access.ts";
import { slashed } from "../launch/paths.ts";
import table from "../launch/table.json" with { type: "json" };
import { optionsOf } from "./opens.ts";

/** Each inaccessible path or host, as a fault that says how to permit it. */
export function closedPlaces(
  content: string,
  environment: (name: string) => string | undefined,
): string[] {
  // Log, state, checkpoints and the viewer's address cannot change.
  const plan = new AccessPlan(table as LaunchTable, slashed(resolve(".")), [
    ...["listen", "log", "database", "folder"] as const,
  ]);
  const options = optionsOf(content, environment);
  const row = fileRow(table as LaunchTable);
  const { read, write, net = [], listens } = plan.of(row, options, () => undefined);
  const faults = new Set<string>();
  const check = (what: string, place: string, flag: string, wanted: Deno.PermissionDescriptor) => {
    if (Deno.permissions.querySync(wanted).state === "granted") return;
    faults.add(
      `Cannot ${what} ${JSON.stringify(place)}: this run may access only what the file named at ` +
        `its start, and what ${flag} names; restart to apply the edit`,
    );
  };
  for (const { path } of write) check("write to", path, "--allow-write", { name: "write", path });
  for (const path of read) check("read", path, "--allow-read", { name: "read", path });
  // All relays are open, or none is.
  const relay = [...listens].slice(0, 1);
  for (const host of [...new Set(net).difference(listens), ...relay]) {
    check("reach", host, "--allow-net", { name: "net", host });
  }
  return [...faults];
}
