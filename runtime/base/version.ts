import configuration from "../../deno.json" with { type: "json" };

/** Version of Framelane, from `deno.json`. */
export const VERSION: string = configuration.version;
