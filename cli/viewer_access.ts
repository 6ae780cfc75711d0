// Options of every command with a viewer: its address and access control.
import { isLoopback } from "../runtime/base/host.ts";
import type { ViewerOptions, ViewerToken } from "../viewer/mod.ts";
import { isHost } from "../runtime/base/access.ts";
import { type Options, parsers, type Values } from "./command.ts";

export const DEFAULT_PORT = 8000;

export const portOption = {
  port: {
    value: "PORT",
    help: "Port of the viewer; 0 takes any free one",
    default: DEFAULT_PORT,
    parse: parsers.integer(0, 65_535),
    opens: "listen",
  },
} as const satisfies Options;

export const viewerAccessOptions = {
  host: {
    value: "ADDRESS",
    help: "Address that the viewer listens on; any except 127.0.0.1 needs a token or a proxy",
    default: "127.0.0.1",
    parse: parsers.text(isAddress, "an address or a name, such as 0.0.0.0 or ::"),
  },
  token: {
    value: "TOKEN",
    help:
      "Token that opens the viewer; TOKEN=1,3 opens only these cameras, TOKEN=metrics only /metrics",
    multiple: true,
    parse: parseToken,
    show: () => "***",
  },
  "proxy-host": {
    value: "NAME",
    help: "Public name of a reverse proxy that authenticates users and forwards to the viewer",
    multiple: true,
    parse: parsers.text(
      (text) => isHost(text) && !/[*/]/.test(text),
      "a host such as cameras.example.org",
    ),
  },
  "embed-origin": {
    value: "URL",
    help: "Origin of pages that may embed /cam/N, e.g. https://dashboard.example.org",
    multiple: true,
    parse: parsers.text(isOrigin, "an origin such as https://dashboard.example.org"),
  },
} as const satisfies Options;

type AccessValues = Pick<Values<typeof viewerAccessOptions>, "host" | "token" | "proxy-host">;

/** Faults of the combined options: an address that others can reach without protection. */
export function viewerAccessFaults(
  { host = "127.0.0.1", token: tokens = [], "proxy-host": proxies = [] }: AccessValues,
): string[] {
  const faults: string[] = [];
  const count = (wanted: "all" | "metrics") =>
    tokens.filter(({ opens }) => opens === wanted).length;
  if (!isLoopback(host) && count("all") === 0 && proxies.length === 0) {
    faults.push(
      `Cannot show the viewer on ${host} to everyone: set a token, or name with --proxy-host the ` +
        "reverse proxy that authenticates users, or omit --host",
    );
  }
  if (count("all") === 0 && tokens.some(({ opens }) => typeof opens === "object")) {
    faults.push(
      "Cannot limit cameras for some users while the viewer is open to all others: " +
        "set a token for all cameras too",
    );
  }
  for (const [opens, what] of [["all", "the whole viewer"], ["metrics", "/metrics"]] as const) {
    if (count(opens) > 1) faults.push(`Cannot use two tokens for ${what}: expected one`);
  }
  const ofWall = tokens.flatMap(({ token, opens }) => opens === "metrics" ? [] : token);
  if (new Set(ofWall).size < ofWall.length) {
    faults.push("Cannot use a token twice: expected its cameras together, such as TOKEN=1,3");
  }
  return faults;
}

/** The options in the viewer's form, once they have no `viewerAccessFaults`. */
export function viewerAccess(
  options: Values<typeof viewerAccessOptions>,
): Pick<ViewerOptions, "hostname" | "tokens" | "proxyHosts" | "embedOrigins"> {
  return {
    hostname: options.host,
    tokens: options.token ?? [],
    proxyHosts: options["proxy-host"] ?? [],
    embedOrigins: options["embed-origin"] ?? [],
  };
}

function parseToken(text: string): ViewerToken {
  const [, token = text, opens = "all"] = /^(.*)=(metrics|\d+(?:,\d+)*)$/s.exec(text) ?? [];
  const cameras = opens.split(",").map(Number);
  // An ending that is nearly one of these must not become part of a token that opens everything.
  const isMistyped = opens === "all" && /=(?:[\d,;. -]+|metric\w*)$/i.test(text);
  if (token.trim() === "" || token.startsWith("=") || cameras.includes(0) || isMistyped) {
    throw new Error(
      "expected a token that is not blank and does not begin with =, alone or followed by what it " +
        "opens: =1,3 (numbers of cameras from 1 up) or =metrics",
    );
  }
  return { token, opens: opens === "all" || opens === "metrics" ? opens : cameras };
}

function isAddress(text: string): boolean {
  const isName = isHost(text) && !/[:/*]/.test(text.replace(/^\[.*\]$/, ""));
  return isName || isHost(`[${text}]`);
}

function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}
