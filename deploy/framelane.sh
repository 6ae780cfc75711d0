#!/bin/sh
# The framelane command of the image, with the permissions of the tasks; there is no Node in it.
package=/app/node_modules/@framelane/framelane
exec deno run -q --no-prompt --no-lock --no-npm --no-code-cache -P=launch --config="$package/deno.json" "$package/launch.js" "$@"
