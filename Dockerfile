# Framelane: cameras, queries and the viewer from one image; the command says which. Without one, the demo:
#   docker build -t framelane .
#   docker run --rm -p 127.0.0.1:8000:8000 framelane          prints an address with a token
#   docker run --rm framelane camera 1 --source pattern: --log kafka://broker:9092
FROM node:22-bookworm-slim AS build
# Deno comes from npm, in the version that the project is tested with.
RUN npm install --global --no-fund --no-audit deno@2.9.6
ENV DENO_NO_UPDATE_CHECK=1 NO_COLOR=1
WORKDIR /src
# The dependencies first: they change less often than the code.
COPY deno.json deno.lock ./
COPY viewer/page/deno.json ./viewer/page/
RUN deno install --frozen
COPY . .
# What users install: no sources, no development dependencies, no files for other systems.
RUN deno task pack
WORKDIR /app
RUN npm install --no-fund --no-audit /src/dist/framelane-*.tgz && npx framelane install \
  && cp "$(npm root --global)/deno/deno" /usr/local/bin/deno-program

FROM debian:bookworm-slim
ENV DENO_DIR=/deno-dir DENO_NO_UPDATE_CHECK=1 NO_COLOR=1 FRAMELANE_HOST=0.0.0.0
# All of it belongs to root: the command runs as another user and writes to /data alone.
COPY --from=build /usr/local/bin/deno-program /usr/local/bin/deno
COPY --from=build /app /app
COPY deploy/framelane.sh /usr/local/bin/framelane
RUN useradd --uid 1000 framelane && mkdir /deno-dir /data && chown framelane:framelane /data
USER framelane
WORKDIR /data
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["framelane"]
CMD ["demo"]
