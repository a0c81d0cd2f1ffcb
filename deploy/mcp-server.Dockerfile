# mcp-server alone, from its own lock. Build in the repository's top directory: docker build -f deploy/mcp-server.Dockerfile .
FROM python:3.11-slim AS build
RUN python -m venv /opt/mcp-server
WORKDIR /build
COPY mcp-server/requirements.lock mcp-server/requirements.lock
RUN /opt/mcp-server/bin/pip install --no-cache-dir --require-hashes -r mcp-server/requirements.lock
COPY shared shared
COPY mcp-server mcp-server
RUN /opt/mcp-server/bin/pip install --no-cache-dir --no-deps --no-build-isolation ./shared ./mcp-server

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home --home-dir /data mcp-server
COPY --from=build /opt/mcp-server /opt/mcp-server
USER mcp-server
WORKDIR /data
EXPOSE 8000
ENTRYPOINT ["/opt/mcp-server/bin/mcp-server"]
CMD ["serve"]
