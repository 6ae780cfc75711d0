/** Run with the flags of a task: asks for more than it has. */
const { state } = await Deno.permissions.request({ name: "net", host: "192.0.2.1" });
await Deno.stdout.write(new TextEncoder().encode(`answer: ${state}\n`));
