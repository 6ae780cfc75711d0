// Names of this machine's own addresses, and the `Host` of requests. A server without tokens must reject foreign
// hosts: with DNS rebinding, a web page could otherwise read it.

/** Whether only this machine can reach an address. */
export function isLoopback(hostname: string): boolean {
  return ["localhost", "::1", "[::1]"].includes(hostname) || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** The `Host` of a request in lower case, with and without its port; undefined if it is missing or invalid. */
export function hostOf(request: Request): { full: string; name: string } | undefined {
  const full = request.headers.get("host")?.toLowerCase();
  const name = full?.match(/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/)?.[1];
  return full === undefined || name === undefined ? undefined : { full, name };
}

/** Why no server can listen at a place, in plain words. */
export function listenError(error: unknown, place: string): unknown {
  const { AddrInUse, AddrNotAvailable, PermissionDenied } = Deno.errors;
  const why = error instanceof AddrInUse
    ? "another program uses this port; choose another one"
    : error instanceof PermissionDenied
    ? "the system does not permit it; choose a port from 1024 up"
    : error instanceof AddrNotAvailable
    ? "this machine has no such address"
    : undefined;
  return why === undefined ? error : new Error(`Cannot listen on ${place}: ${why}`);
}
