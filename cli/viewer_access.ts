// Options of every command that shows the viewer: where it listens, and who may see what.
import { type CameraPermission, isLoopback, type ViewerOptions } from "../viewer/mod.ts";
import { type Options, UsageError, type Values } from "./command.ts";

export const viewerAccessOptions = {
  host: {
    value: "ADDRESS",
    help: "Address that the viewer listens on; any but 127.0.0.1 needs a token or a proxy",
    default: "127.0.0.1",
  },
  token: { value: "TOKEN", help: "Token that opens the viewer" },
  "metrics-token": { value: "TOKEN", help: "Token that opens only /metrics" },
  "camera-token": {
    value: "TOKEN=1,3",
    help: "Another token, which opens only these cameras",
    multiple: true,
    parse: parsePermission,
  },
  "proxy-host": {
    value: "NAME",
    help: "Public name of a reverse proxy that signs people in before it forwards to the viewer",
    multiple: true,
  },
  "embed-origin": {
    value: "URL",
    help: "Origin of pages that may embed /cam/N, e.g. https://dashboard.example.org",
    multiple: true,
    parse: parseOrigin,
  },
} as const satisfies Options;

/**
 * What was given, as the viewer takes it.
 *
 * @throws {UsageError} when the address is open to others and nothing guards it.
 */
export function viewerAccess(
  options: Values<typeof viewerAccessOptions>,
): Pick<
  ViewerOptions,
  "hostname" | "token" | "metricsToken" | "cameraPermissions" | "proxyHosts" | "embedOrigins"
> {
  const { host: hostname, token, "metrics-token": metricsToken } = options;
  const { "proxy-host": proxyHosts = [], "camera-token": cameraPermissions = [] } = options;
  const faults: string[] = [];
  if (!isLoopback(hostname) && token === undefined && proxyHosts.length === 0) {
    faults.push(
      `Cannot show the viewer on ${hostname} to everybody: set a token (FRAMELANE_TOKEN), or name ` +
        "with --proxy-host the reverse proxy that signs people in, or leave out --host",
    );
  }
  if (token === undefined && cameraPermissions.length > 0) {
    faults.push(
      "Cannot limit cameras for some and leave the viewer open to all others: set a token too",
    );
  }
  if (faults.length > 0) throw new UsageError(faults);
  return {
    hostname,
    ...(token === undefined ? {} : { token }),
    ...(metricsToken === undefined ? {} : { metricsToken }),
    cameraPermissions,
    proxyHosts,
    embedOrigins: options["embed-origin"] ?? [],
  };
}

function parsePermission(text: string): CameraPermission {
  const [, token = "", numbers = ""] = text.match(/^(.+)=(\d+(?:,\d+)*)$/) ?? [];
  const cameras = numbers.split(",").map(Number);
  if (token === "" || cameras.some((camera) => camera < 1)) {
    throw new Error("expected a token, = and numbers of cameras such as 1,3");
  }
  return { token, cameras };
}

function parseOrigin(text: string): string {
  if (!/^https?:/.test(text) || !URL.canParse(text) || new URL(text).origin !== text) {
    throw new Error("expected an origin such as https://dashboard.example.org");
  }
  return text;
}
