import { avi } from "./runtime/video/avi.ts";
import { nextPoint, type TimePoint } from "./runtime/video/timeline.ts";
const dir = Deno.args[0]!;
const files = [...Deno.readDirSync(dir)].map(e => e.name).sort().map(n => Deno.readFileSync(dir + "/" + n));
const parts: Uint8Array[] = []; let track: any = { width: 640, height: 480, startTimestamp: 1.7e12, configuration: "" }; const entries: any[] = []; let p: TimePoint | undefined; let len = 0, steps = 0;
len += avi.header(track).length;
for (const [i, f] of files.entries()) {
  p = nextPoint(p, 1.7e12 + i * 40 + (i % 3)+(i>=50?400:0));
  const s = { data: f, key: true, time: p.time, delta: p.delta, offset: i };
  if (i === 1) track = avi.refine!(track, s);
  if (!avi.accepts(track, s, steps, len)) throw 1;
  const ap = avi.append(track, s, steps); steps += ap.entry.step;
  entries.push(ap.entry); for (const b of ap.bytes) { parts.push(b); len += b.length; }
}
const h = avi.header(track); console.log(h.length);
for (const n of ["frag","fin"]) { const f = Deno.openSync(`/tmp/sk_${n}.avi`, { write: true, create: true, truncate: true });
 f.writeSync(h); for (const b of parts) f.writeSync(b);
 if (n === "fin") { const { tail, patch } = avi.finish(track, entries, len, 40); f.writeSync(tail); f.seekSync(patch.position, 0); f.writeSync(patch.bytes); }
 f.close(); }
