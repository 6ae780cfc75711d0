import configuration from "../../deno.json" with { type: "json" };

/** Framelane's version, from `deno.json`. */
export const VERSION: string = configuration.version;
