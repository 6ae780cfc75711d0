// Formats numbers and times.
/** A value, or `–` while it is unknown. */
export function known<Value>(format: (value: Value) => string, value: Value | undefined): string {
  return value === undefined || Number.isNaN(value) ? "–" : format(value);
}

/** `14.9`, `0.4`, `120`. */
export function rate(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

/** Milliseconds as `12 ms`, `1.4 s`, `2 min`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 10_000) return `${(milliseconds / 1_000).toFixed(1)} s`;
  return span(milliseconds);
}

/** A longer duration as `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${hours / 24} d`;
}

/** Counts as `0`, `999`, `12.4k`, `3.1M`. */
export function count(value: number): string {
  if (value < 10_000) return String(Math.round(value));
  if (value < 1_000_000) return `${(value / 1_000).toFixed(value < 100_000 ? 1 : 0)}k`;
  return `${(value / 1_000_000).toFixed(1)}M`;
}

/** `1 frame`, `12.4k frames`. */
export function frames(value: number): string {
  return `${count(value)} ${value === 1 ? "frame" : "frames"}`;
}

/** Time of day as `14:03:22`. */
export function clock(time: number): string {
  return new Date(time).toLocaleTimeString("en-GB");
}

/** Local date and time of day as `2026-11-21 14:03:22`. */
export function moment(time: number): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(time)}`;
}

/** `moment`, without the date if it is today. */
export function recent(time: number): string {
  const today = new Date(time).toDateString() === new Date().toDateString();
  return today ? clock(time) : moment(time);
}

/** The day as `Today`, `Yesterday`, `Sat 28 Nov 2026`. */
export function day(time: number, now = Date.now()): string {
  const wanted = new Date(time).toDateString();
  const date = new Date(now);
  if (wanted === date.toDateString()) return "Today";
  date.setDate(date.getDate() - 1); // not 24 hours: where clocks are set, a day has 23 or 25
  if (wanted === date.toDateString()) return "Yesterday";
  const options = { weekday: "short", day: "numeric", month: "short", year: "numeric" } as const;
  return new Date(time).toLocaleDateString("en-GB", options);
}

/** `moment` with milliseconds, to distinguish frames. */
export function momentOfFrame(time: number): string {
  return `${moment(time)}.${String(Math.floor(time) % 1_000).padStart(3, "0")}`;
}

/** `1-3, 7`. */
export function formatNumbers(numbers: readonly number[], separator = ", "): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    parts.push(end === i ? `${sorted[i]}` : `${sorted[i]}-${sorted[end]}`);
    i = end + 1;
  }
  return parts.join(separator);
}
