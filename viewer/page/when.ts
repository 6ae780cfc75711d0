// Parses times that users enter.
export type When = { readonly time: number } | { readonly offset: number };

const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Parses `14:03`, `14:03:22.5`, `2026-11-21 14:03`, `-30s`, `-5m`, epoch milliseconds, and offsets as `#1234`
 * or `1234`. A time of day is the last one before `now`; times are local.
 */
export function parseWhen(text: string, now: number): When | undefined {
  const trimmed = text.trim();
  const number = trimmed.match(/^#?\s*(\d{1,15})$/);
  if (number !== null) {
    const value = Number(number[1]);
    return number[1]!.length === 13 && !trimmed.startsWith("#")
      ? { time: value }
      : { offset: value };
  }
  const ago = trimmed.match(/^-\s*(\d+(?:\.\d+)?)\s*([smhd])/);
  if (ago !== null) return { time: now - Number(ago[1]) * UNITS[ago[2]!]! };
  const moment = trimmed.match(
    /^(?:(\d{4})-(\d{1,2})-(\d{1,2})[ T]+)?(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d{1,3})?))?$/,
  );
  if (moment === null) return undefined;
  const [, year, month, day, hours, minutes, seconds = "0"] = moment;
  const date = new Date(now);
  if (year !== undefined) {
    date.setFullYear(Number(year), Number(month) - 1, Number(day));
    if (date.getMonth() !== Number(month) - 1) return undefined; // 31 February
  }
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) >= 60) return undefined;
  date.setHours(Number(hours), Number(minutes), 0, 0);
  date.setMilliseconds(Math.round(Number(seconds) * 1_000));
  if (year === undefined && date.getTime() > now) date.setDate(date.getDate() - 1);
  return { time: date.getTime() };
}
