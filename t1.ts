import { PictureDecoder } from "./runtime/video/picture.ts";
import { GroupEncoder } from "./runtime/video/h264.ts";
import { mp4 } from "./runtime/video/mp4.ts";
import { nextPoint, type TimePoint } from "./runtime/video/timeline.ts";
const dir = Deno.args[0]!;
const files = [...Deno.readDirSync(dir)].map(e => e.name).sort().map(n => Deno.readFileSync(dir + "/" + n));
using dec = await PictureDecoder.open();
let enc: GroupEncoder | undefined; const parts: Uint8Array[] = []; let track: any; const entries: any[] = []; let p: TimePoint | undefined; let len = 0, gopStart = 0;
let td = 0, te = 0;
const t = performance.now();
for (const [i, f] of files.entries()) {
  let a = performance.now();
  const pic = await dec.decode(f); td += performance.now() - a;
  p = nextPoint(p, 1.7e12 + i * 40 + (i % 3));
  if (!enc || p.time - gopStart >= 2000) { enc?.[Symbol.dispose](); enc = await GroupEncoder.open(pic.width, pic.height, {preset: (Deno.args[1] ?? "superfast") as never}); gopStart = p.time; }
  if (!track) { track = { width: pic.width, height: pic.height, startTimestamp: 1.7e12, configuration: enc.configuration.toBase64() }; const h = mp4.header(track); parts.push(h); len += h.length; }
  a = performance.now();
  const e = await enc.encode(pic); te += performance.now() - a; pic.release();
  const ap = mp4.append(track, { ...e, time: p.time, delta: p.delta, offset: i }, 0);
  entries.push(ap.entry); for (const b of ap.bytes) { parts.push(b); len += b.length; }
}
enc![Symbol.dispose]();
console.log("ms/frame", (performance.now() - t) / files.length, "dec", td / files.length, "enc", te / files.length, "bytes/frame", len / files.length);
const f = Deno.openSync("/tmp/sk_frag.mp4", { write: true, create: true, truncate: true });
for (const b of parts) f.writeSync(b); f.close();
Deno.copyFileSync("/tmp/sk_frag.mp4", "/tmp/sk_fin.mp4");
const { tail, patches } = mp4.finish(track, entries, len, p!.delta);
const g = Deno.openSync("/tmp/sk_fin.mp4", { write: true }); g.seekSync(0, 2); g.writeSync(tail); for (const { position, bytes } of patches) { g.seekSync(position, 0); g.writeSync(bytes); } g.close();
