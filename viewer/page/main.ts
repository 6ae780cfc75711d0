// Entry point of the page.
import { showQuery } from "./query_page.ts";
import { showWall } from "./wall_page.ts";
import { startLooks } from "./looks.ts";

startLooks();
const query = location.pathname.match(/^\/queries\/([^/]+)$/)?.[1];
if (query === undefined) showWall();
else showQuery(decodeURIComponent(query));
