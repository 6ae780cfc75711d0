import { fileURLToPath } from "node:url";
import {
  type Fault,
  FaultsError,
  Fields,
  type Line,
  type Places,
  type Point,
  readJson,
  type Zone,
} from "../../../runtime/mod.ts";
import { isFlat } from "./geometry.ts";

/** An invalid file of zones, with all its faults. */
export class ZonesError extends FaultsError {
  constructor(path: string, faults: readonly (string | Fault)[], options?: ErrorOptions) {
    super("zones", path, faults, options);
  }
}

/**
 * Reads a file of zones and lines, or its content.
 *
 * @throws {ZonesError} naming all faults.
 */
export function readZones(file: string | URL): Places {
  const path = file instanceof URL ? fileURLToPath(file) : file;
  const [name, text] = path.startsWith("{") ? ["given inline", path] : [path];
  return parseZones(readJson(name, ZonesError, text), name);
}

/**
 * Validates zones and lines.
 *
 * @param path for messages
 * @throws {ZonesError} naming all faults.
 */
export function parseZones(json: unknown, path = "zones"): Places {
  const fields = new Fields(json, PLACES, { what: "the file" });
  const places = readPlaces(fields);
  if (fields.faults.length > 0) throw new ZonesError(path, fields.faults);
  return places;
}

/** Fields of a file of zones. */
export const PLACES: readonly string[] = ["zones", "lines"];

/** Reads zones and lines; adds their faults. */
export function readPlaces(fields: Fields): Places {
  const before = fields.faults.length;
  const zones = fields.objects("zones", ["name", "polygon", "labels", "loiterMs"], readZone);
  const lines = fields.objects("lines", ["name", "from", "to", "labels"], readLine);
  fields.unique("zones", zones.map(({ name }) => name));
  fields.unique("lines", lines.map(({ name }) => name));
  if (fields.faults.length === before && zones.length + lines.length === 0) {
    fields.add("zones", "zones or lines");
  }
  return { zones, lines };
}

function readZone(fields: Fields): Zone {
  const faults = fields.faults.length;
  const polygon = fields.list("polygon", (place, item) => readPoint(fields, place, item));
  const isTaken = fields.faults.length === faults;
  if ([1, 2].includes(polygon.length) || (isTaken && isFlat(polygon))) {
    fields.add("polygon", "three corners or more, not all on one line");
  }
  return {
    name: fields.text("name"),
    polygon,
    ...labelsOf(fields),
    ...(fields.given["loiterMs"] === undefined
      ? {}
      : { loiterMs: fields.number("loiterMs", { min: 0, max: 86_400_000 }) }),
  };
}

function readLine(fields: Fields): Line {
  const from = readPoint(fields, "from");
  const to = readPoint(fields, "to");
  if (from[0] === to[0] && from[1] === to[1]) fields.add("to", "another point than from");
  return { name: fields.text("name"), from, to, ...labelsOf(fields) };
}

function labelsOf(fields: Fields): { labels?: readonly string[] } {
  if (fields.given["labels"] === undefined) return {};
  return { labels: fields.list("labels", (place, item) => fields.text(place, item)) };
}

function readPoint(fields: Fields, name: string, json: unknown = fields.given[name]): Point {
  const isShare = (value: unknown) => typeof value === "number" && value >= 0 && value <= 1;
  if (Array.isArray(json) && json.length === 2 && json.every(isShare)) {
    return [json[0] as number, json[1] as number];
  }
  fields.add(name, "[x, y], fractions of the picture from 0 to 1", json);
  return [0, 0];
}
