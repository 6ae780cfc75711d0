# Framelane: cameras, queries and the viewer from one image; the command says which. Without one, the demo:
#   docker build -t framelane .
#   docker run --rm -p 127.0.0.1:8000:8000 framelane          prints an address with a token
#   docker run --rm framelane camera 1 --source pattern: --log kafka://broker:9092
FROM node:22-bookworm-slim AS base
# Deno comes from npm, in the version that the project is tested with.
RUN npm install --global --no-fund --no-audit deno@2.9.6 && npm cache clean --force
ENV DENO_DIR=/deno-dir DENO_NO_UPDATE_CHECK=1 NO_COLOR=1

FROM base AS build
WORKDIR /app
# The dependencies first: they change less often than the code.
COPY deno.json deno.lock ./
COPY viewer/page/deno.json ./viewer/page/
RUN deno install --frozen
COPY . .
# What is compiled now need not be at each start: the command may not write here.
RUN deno cache --frozen main.ts runtime/executor/worker.ts queries/*.ts

FROM base
# All of it belongs to root: the command runs as another user and writes to /data alone.
COPY --from=build /deno-dir /deno-dir
COPY --from=build /app /app
RUN mkdir /data && chown node:node /data
USER node
WORKDIR /data
ENV FRAMELANE_HOST=0.0.0.0
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["deno", "run", "-q", "--no-prompt", "--no-lock", "--no-npm", "-P=launch", "/app/launch.ts"]
CMD ["demo"]
