// Where models run: the processor, or what else the machine has.
import { BadFrameError } from "../../../runtime/mod.ts";
import { type Device, DEVICES } from "./device_names.ts";
import { loadOnnx } from "./onnx.ts";

/** What a device needs besides the package. */
const NEEDS: Readonly<Record<Device, string>> = {
  cpu: "nothing",
  cuda:
    "an NVIDIA GPU with its driver, CUDA 12 and cuDNN 9 on Linux x64, and the provider's library, which " +
    "`ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js` fetches",
  coreml: "macOS on Apple silicon",
  webgpu: "a GPU with a Vulkan, Metal or Direct3D 12 driver",
};

/** A device, and whether this build of ONNX Runtime knows it. */
export interface DeviceInfo {
  readonly device: Device;
  /** `yes`, `no`, or `maybe`: the provider is known, its library or the hardware may be missing. */
  readonly available: "yes" | "no" | "maybe";
  readonly needs: string;
}

export function listDevices(): DeviceInfo[] {
  const backends = loadOnnx().listSupportedBackends().map(({ name }) => name);
  return DEVICES.map((device) => ({
    device,
    available: device === "cpu" ? "yes" : backends.includes(device) ? "maybe" : "no",
    needs: NEEDS[device],
  }));
}

/** @throws {Error} when this build of ONNX Runtime has no such provider. */
export function checkDevice(device: Device): void {
  if (device === "cpu") return;
  const { available, needs } = listDevices().find((info) => info.device === device)!;
  if (available !== "no") return;
  throw new Error(
    `Cannot run models on ${device}: ONNX Runtime has no such provider on this system; it needs ${needs}`,
  );
}

/** The message of an error, without the place in ONNX Runtime's own sources. */
function messageOf({ message }: Error): string {
  return message.replace(/\/\S*onnxruntime_src\S* .*?\) /s, "").trim();
}

/**
 * Why a run failed. On the processor it fails again on the same frames, so they are bad; another device may be
 * gone temporarily.
 */
export function runError(device: Device, file: string, cause: Error): Error {
  const text = `Cannot run the model ${file}: ${messageOf(cause)}`;
  return device === "cpu"
    ? new BadFrameError("model-run", text, { cause })
    : new Error(text, { cause });
}

/** Why a model could not be loaded: the model, or the device. */
export function deviceError(device: Device, file: string, cause: Error): Error {
  const [on, needs] = device === "cpu"
    ? ["", ""]
    : [` on ${device}`, `; ${device} needs ${NEEDS[device]}`];
  return new Error(`Cannot load the model ${file}${on}: ${messageOf(cause)}${needs}`, { cause });
}
