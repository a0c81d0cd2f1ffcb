# auth-server alone, from its own lock. Build in the repository's top directory: docker build -f deploy/auth-server.Dockerfile .
FROM python:3.11-slim AS build
RUN python -m venv /opt/auth-server
WORKDIR /build
COPY auth-server/requirements.lock auth-server/requirements.lock
RUN /opt/auth-server/bin/pip install --no-cache-dir --require-hashes -r auth-server/requirements.lock
COPY shared shared
COPY auth-server auth-server
RUN /opt/auth-server/bin/pip install --no-cache-dir --no-deps --no-build-isolation ./shared ./auth-server

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home --home-dir /data auth-server
COPY --from=build /opt/auth-server /opt/auth-server
USER auth-server
WORKDIR /data
EXPOSE 9000
ENTRYPOINT ["/opt/auth-server/bin/auth-server"]
CMD ["serve"]
