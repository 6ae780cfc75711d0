// Options of every command with a viewer: its address and access control.
import { given, shown } from "../runtime/base/options.ts";
import { isLoopback } from "../runtime/base/host.ts";
import type { CameraPermission, ViewerOptions } from "../viewer/mod.ts";
import { isHost } from "../runtime/base/access.ts";
import { type Options, UsageError, type Values } from "./command.ts";

export const viewerAccessOptions = {
  host: {
    value: "ADDRESS",
    help: "Address that the viewer listens on; any except 127.0.0.1 needs a token or a proxy",
    default: "127.0.0.1",
  },
  token: { value: "TOKEN", help: "Token that opens the viewer" },
  "metrics-token": { value: "TOKEN", help: "Token that opens only /metrics" },
  "camera-token": {
    value: "TOKEN=1,3",
    help: "Additional token for these cameras only",
    multiple: true,
    parse: parsePermission,
  },
  "proxy-host": {
    value: "NAME",
    help: "Public name of a reverse proxy that authenticates users and forwards to the viewer",
    multiple: true,
    parse: parseProxy,
  },
  "embed-origin": {
    value: "URL",
    help: "Origin of pages that may embed /cam/N, e.g. https://dashboard.example.org",
    multiple: true,
    parse: parseOrigin,
  },
} as const satisfies Options;

/** Faults of the combined options: an invalid address, or one that others can reach without protection. */
export function viewerAccessFaults(
  options: Pick<
    Values<typeof viewerAccessOptions>,
    "host" | "token" | "proxy-host" | "camera-token"
  >,
): string[] {
  const { host, token, "proxy-host": proxies = [], "camera-token": limited = [] } = options;
  const faults: string[] = [];
  const isName = isHost(host) && !/[:/*]/.test(host.replace(/^\[.*\]$/, ""));
  if (!isName && !isHost(`[${host}]`)) {
    faults.push(
      `Cannot use --host ${shown(host)}: expected an address or a name, such as 0.0.0.0 or ::`,
    );
  } else if (!isLoopback(host) && token === undefined && proxies.length === 0) {
    faults.push(
      `Cannot show the viewer on ${host} to everyone: set a token (FRAMELANE_TOKEN), or name ` +
        "with --proxy-host the reverse proxy that authenticates users, or omit --host",
    );
  }
  if (token === undefined && limited.length > 0) {
    faults.push(
      "Cannot limit cameras for some users while the viewer is open to all others: set a token too",
    );
  }
  return faults;
}

/**
 * The options in the viewer's form.
 *
 * @throws {UsageError} with `viewerAccessFaults`, if there are any
 */
export function viewerAccess(
  options: Values<typeof viewerAccessOptions>,
): Pick<
  ViewerOptions,
  "hostname" | "token" | "metricsToken" | "cameraPermissions" | "proxyHosts" | "embedOrigins"
> {
  const faults = viewerAccessFaults(options);
  if (faults.length > 0) throw new UsageError(faults);
  const { host: hostname, token, "metrics-token": metricsToken } = options;
  return {
    hostname,
    ...given({ token, metricsToken }),
    cameraPermissions: options["camera-token"] ?? [],
    proxyHosts: options["proxy-host"] ?? [],
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

function parseProxy(text: string): string {
  if (!isHost(text) || /[*/]/.test(text)) {
    throw new Error("expected a host such as cameras.example.org");
  }
  return text;
}

function parseOrigin(text: string): string {
  if (!/^https?:/.test(text) || !URL.canParse(text) || new URL(text).origin !== text) {
    throw new Error("expected an origin such as https://dashboard.example.org");
  }
  return text;
}
