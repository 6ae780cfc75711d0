# Framelane: cameras, queries and the viewer from one image; the command says which.
#   docker build -t framelane .
#   docker run --rm framelane camera 1 --source pattern: --log kafka://broker:9092
FROM node:22-bookworm-slim

# Deno comes from npm, in the version that the project is tested with.
RUN npm install --global --no-fund --no-audit deno@2.9.6 && npm cache clean --force

ENV DENO_DIR=/deno-dir DENO_NO_UPDATE_CHECK=1 NO_COLOR=1
RUN mkdir -p /app /data "$DENO_DIR" && chown node:node /app /data "$DENO_DIR"
USER node
WORKDIR /app

# The dependencies first: they change less often than the code.
COPY --chown=node:node deno.json deno.lock ./
COPY --chown=node:node viewer/page/deno.json ./viewer/page/
RUN deno install --frozen

COPY --chown=node:node . .
RUN deno cache --frozen main.ts

VOLUME /data
EXPOSE 8000
ENTRYPOINT ["deno", "task"]
CMD ["demo"]
