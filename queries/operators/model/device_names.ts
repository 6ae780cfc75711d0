// Names of the devices that models run on, without native code.

/** Devices, as ONNX Runtime's providers are named. */
export const DEVICES = ["cpu", "cuda", "coreml", "webgpu"] as const;
/** Where a model runs. */
export type Device = typeof DEVICES[number];

/**
 * A device by its name.
 *
 * @throws {RangeError} naming the devices.
 */
export function deviceOf(name: string): Device {
  const device = DEVICES.find((known) => known === name);
  if (device !== undefined) return device;
  throw new RangeError(`Cannot run models on ${name}: expected one of ${DEVICES.join(", ")}`);
}
