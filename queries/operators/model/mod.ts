// Models on ordered windows.
export * from "./files.ts";
export { checkModel, Inference } from "./inference.ts";
export { model, type ModelOptions } from "./model.ts";
export { type Device, DEVICES } from "./device_names.ts";
export { listDevices } from "./devices.ts";
