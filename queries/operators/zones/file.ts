/**
 * The file of zones and lines.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Line, Places, Point, Zone } from "../../../runtime/mod.ts";
import { Faults } from "../model/faults.ts";

/** A file of zones that cannot be used, with all its faults. */
export class ZonesError extends Error {
  override readonly name = "ZonesError";
  readonly faults: readonly string[];

  constructor(path: string, faults: readonly string[]) {
    super(`Cannot use zones ${path}:\n${faults.map((fault) => `  ${fault}`).join("\n")}`);
    this.faults = faults;
  }
}

/**
 * Reads a file of zones and lines.
 *
 * @throws {ZonesError} naming all faults.
 */
export function readZones(file: string | URL): Places {
  const path = file instanceof URL ? fileURLToPath(file) : file;
  let json: unknown;
  try {
    json = JSON.parse(Deno.readTextFileSync(path));
  } catch (error) {
    throw new ZonesError(path, [(error as Error).message]);
  }
  return parseZones(json, path);
}

/**
 * Checks zones and lines.
 *
 * @param path for messages
 * @throws {ZonesError} naming all faults.
 */
export function parseZones(json: unknown, path = "zones"): Places {
  const faults = new Faults();
  const fields = faults.object("", json, ["zones", "lines"]);
  const list = <T>(name: string, read: (field: string, item: unknown) => T) =>
    fields[name] === undefined ? [] : faults.entries(name, fields[name], read);
  const zones = list("zones", (field, item) => readZone(faults, field, item));
  const lines = list("lines", (field, item) => readLine(faults, field, item));
  faults.unique("zones", zones.map(({ name }) => name));
  faults.unique("lines", lines.map(({ name }) => name));
  if (faults.list.length === 0 && zones.length + lines.length === 0) {
    faults.say("expected zones or lines, given neither");
  }
  if (faults.list.length > 0) throw new ZonesError(path, faults.list);
  return { zones, lines };
}

function readZone(faults: Faults, field: string, json: unknown): Zone {
  const fields = faults.object(field, json, ["name", "polygon", "labels", "loiterMs"]);
  const polygon = faults.entries(
    `${field}.polygon`,
    fields["polygon"],
    (at, item) => readPoint(faults, at, item),
  );
  if (polygon.length === 1 || polygon.length === 2) {
    faults.add(`${field}.polygon`, "three corners or more", fields["polygon"]);
  }
  const { loiterMs } = fields;
  return {
    name: faults.text(`${field}.name`, fields["name"]),
    polygon,
    ...labelsOf(faults, field, fields["labels"]),
    ...(loiterMs === undefined ? {} : {
      loiterMs: faults.number(`${field}.loiterMs`, loiterMs, { min: 0, max: 86_400_000 }),
    }),
  };
}

function readLine(faults: Faults, field: string, json: unknown): Line {
  const fields = faults.object(field, json, ["name", "from", "to", "labels"]);
  const from = readPoint(faults, `${field}.from`, fields["from"]);
  const to = readPoint(faults, `${field}.to`, fields["to"]);
  if (from[0] === to[0] && from[1] === to[1]) {
    faults.add(`${field}.to`, "another point than from", fields["to"]);
  }
  return {
    name: faults.text(`${field}.name`, fields["name"]),
    from,
    to,
    ...labelsOf(faults, field, fields["labels"]),
  };
}

function labelsOf(faults: Faults, field: string, json: unknown): { labels?: readonly string[] } {
  if (json === undefined) return {};
  return { labels: faults.entries(`${field}.labels`, json, (at, item) => faults.text(at, item)) };
}

function readPoint(faults: Faults, field: string, json: unknown): Point {
  const isShare = (value: unknown) => typeof value === "number" && value >= 0 && value <= 1;
  if (Array.isArray(json) && json.length === 2 && json.every(isShare)) {
    return [json[0] as number, json[1] as number];
  }
  faults.add(field, "[across, down], fractions of the picture from 0 to 1", json);
  return [0, 0];
}
