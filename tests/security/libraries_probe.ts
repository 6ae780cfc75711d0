/** Run with the flags of a task: loads every native library that Framelane uses, and uses it. */
import { decodeImage, encodeJpeg } from "../../runtime/image/mod.ts";

await import("sharp");
await import("node-av");
await import("onnxruntime-node");
const { hasLibrary } = await import("../../runtime/image/turbojpeg.ts");
if (!hasLibrary) Deno.exit(3);
const grey = await decodeImage(Deno.readFileSync("clips/astronaut.jpg"), 1);
await encodeJpeg(grey);
grey.release();
