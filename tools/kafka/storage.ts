// Data directories of Kafka's nodes: the id of their cluster, and what a node finds at its first start.

import { type NodeParts, runFormat } from "./node.ts";
import { join } from "node:path";
import { type ListenerSecurity, render } from "./properties.ts";

/** A data directory belongs to one cluster for good. */
export async function clusterIdOf(root: string): Promise<string> {
  const file = join(root, "cluster-id");
  try {
    return (await Deno.readTextFile(file)).trim();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const id = randomId();
  await Deno.mkdir(root, { recursive: true });
  await Deno.writeTextFile(file, `${id}\n`);
  return id;
}

/** Prepares an empty data directory as Kafka's storage tool does; leaves a used one alone. */
export async function formatStorage(
  parts: NodeParts,
  dir: string,
  of: { clusterId: string; id: number; security: ListenerSecurity },
): Promise<void> {
  const data = join(dir, "data");
  const marker = join(data, "meta.properties");
  try {
    await Deno.stat(marker);
    return;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.mkdir(data, { recursive: true });
  const users = Object.entries(of.security.users ?? {});
  const scram = (of.security.mechanisms ?? ["SCRAM-SHA-256", "SCRAM-SHA-512"])
    .filter((mechanism) => mechanism.startsWith("SCRAM"));
  const needsTool = users.length > 0 && scram.length > 0;
  if (parts.bootstrap !== undefined && !needsTool) {
    // What the tool would write, without starting a Java for it.
    await Deno.copyFile(parts.bootstrap, join(data, "bootstrap.checkpoint"));
    await Deno.writeTextFile(
      marker,
      render({
        "version": 1,
        "cluster.id": of.clusterId,
        "node.id": of.id,
        "directory.id": randomId(),
      }),
    );
    return;
  }
  const credentials = users.flatMap(([name, password]) =>
    scram.flatMap((
      mechanism,
    ) => ["--add-scram", `${mechanism}=[name=${name},password=${password}]`])
  );
  await runFormat(parts, dir, of.clusterId, credentials);
}

/** 16 random bytes as Kafka writes its ids; none of them begins like a command line flag. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const id = btoa(String.fromCharCode(...bytes)).slice(0, 22).replaceAll("+", "-")
    .replaceAll("/", "_");
  return id.startsWith("-") ? randomId() : id;
}
