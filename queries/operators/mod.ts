/**
 * The operators that queries are built from.
 *
 * @module
 */
export type { AlertOptions } from "./alert_options.ts";
export { alerts } from "./alerts.ts";
export type { Condition } from "./condition.ts";
export { detect, type DetectOptions } from "./detect.ts";
export { drawn, type DrawnOptions } from "./drawn.ts";
export { gate, type GateOptions } from "./gate.ts";
export { greyscale, type GreyscaleOptions } from "./greyscale.ts";
export { type Device, DEVICES } from "./model/device_names.ts";
export { masks } from "./masks.ts";
export { model, type ModelOptions } from "./model/model.ts";
export { motion, type MotionOptions } from "./motion.ts";
export { passthrough } from "./passthrough.ts";
export { tamper, type TamperOptions } from "./tamper.ts";
export { track, type TrackOptions } from "./track/mod.ts";
export { zones } from "./zones/mod.ts";
