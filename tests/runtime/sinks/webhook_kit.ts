// A receiver of webhooks, and the sink that posts to it.
import { type Clock, systemClock } from "../../../runtime/base/clock.ts";
import type { Output } from "../../../runtime/definition/frame.ts";
import type { SinkContext, SinkTask } from "../../../runtime/definition/sink.ts";
import { webhook, type WebhookOptions } from "../../../runtime/sinks/webhook.ts";
import { sinkContext } from "../../contracts/sink_contract_kit.ts";
import { PATIENCE_MS } from "../../support/until.ts";

export interface Received {
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** A receiver of webhooks with scripted answers. */
export async function withReceiver(
  answer: (index: number, received: Received) => Response | Promise<Response>,
  work: (url: string, received: Received[], directory: string) => Promise<void>,
): Promise<void> {
  const received: Received[] = [];
  const directory = await Deno.makeTempDir();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const one = { headers: Object.fromEntries(request.headers), body: await request.text() };
      received.push(one);
      return await answer(received.length - 1, one);
    },
  );
  try {
    await work(`http://127.0.0.1:${server.addr.port}/hook`, received, directory);
  } finally {
    await server.shutdown();
    await Deno.remove(directory, { recursive: true });
  }
}

export const ok = () => new Response(null, { status: 204 });
/** The delays between tries, of 500 ms to 2 s, take no time; the wait of `close` is as long as it must be. */
export const quick: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms <= 2000 ? 0 : PATIENCE_MS, signal),
};

export async function post(
  task: SinkTask,
  batchId: number,
  outputs: readonly Output[],
): Promise<void> {
  const batch = { batchId, start: batchId * 10, end: batchId * 10 + 10 };
  await task.write!(outputs, batch);
  await task.flush!(batch);
  await task.committed!(batch);
}

export async function open(options: WebhookOptions, context: Partial<SinkContext> = {}) {
  return await webhook(options).open(sinkContext({ clock: quick, ...context }));
}
