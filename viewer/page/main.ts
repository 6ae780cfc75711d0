/**
 * The page: joins connection, wall and controls.
 *
 * @module
 */
import { showQuery } from "./query_page.ts";
import { showWall } from "./wall_page.ts";
import { startDetail } from "./detail.ts";
import { startTheme } from "./theme.ts";

startTheme();
startDetail();
const query = location.pathname.match(/^\/queries\/([^/]+)$/)?.[1];
if (query === undefined) showWall();
else showQuery(decodeURIComponent(query));
