# mcp-server alone, from its own lock. Build in the repository's top directory: docker build -f deploy/mcp-server.Dockerfile .
# `make pin-images` adds the digest of the tag.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
RUN python -m venv /opt/mcp-server
WORKDIR /build
COPY mcp-server/requirements.lock mcp-server/requirements.lock
RUN /opt/mcp-server/bin/pip install --no-cache-dir --require-hashes -r mcp-server/requirements.lock
COPY shared shared
COPY mcp-server mcp-server
RUN /opt/mcp-server/bin/pip install --no-cache-dir --no-deps --no-build-isolation ./shared ./mcp-server

FROM ${PYTHON}
ENV PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --create-home --home-dir /data mcp-server
COPY --from=build /opt/mcp-server /opt/mcp-server
USER mcp-server
WORKDIR /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/opt/mcp-server/bin/python", "-c", "\
import http.client; probe = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); probe.request('GET', '/readyz'); \
raise SystemExit(probe.getresponse().status != 200)"]
ENTRYPOINT ["/opt/mcp-server/bin/mcp-server"]
CMD ["serve"]
