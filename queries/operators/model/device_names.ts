// Names of the devices that models run on, without native code.

/** Devices, as ONNX Runtime's providers are named. */
export const DEVICES = ["cpu", "cuda", "coreml", "webgpu"] as const;
/** Where a model runs. */
export type Device = typeof DEVICES[number];
