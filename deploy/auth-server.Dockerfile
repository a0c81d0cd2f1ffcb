# auth-server alone, from its own lock. Build in the repository's top directory: docker build -f deploy/auth-server.Dockerfile .
# `make pin-images` adds the digest of the tag.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
RUN python -m venv /opt/auth-server
WORKDIR /build
COPY auth-server/requirements.lock auth-server/requirements.lock
RUN /opt/auth-server/bin/pip install --no-cache-dir --require-hashes -r auth-server/requirements.lock
COPY shared shared
COPY auth-server auth-server
RUN /opt/auth-server/bin/pip install --no-cache-dir --no-deps --no-build-isolation ./shared ./auth-server

FROM ${PYTHON}
ENV PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --create-home --home-dir /data auth-server
COPY --from=build /opt/auth-server /opt/auth-server
USER auth-server
WORKDIR /data
EXPOSE 9000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/opt/auth-server/bin/python", "-c", "\
import http.client; probe = http.client.HTTPConnection('127.0.0.1', 9000, timeout=4); probe.request('GET', '/readyz'); \
raise SystemExit(probe.getresponse().status != 200)"]
ENTRYPOINT ["/opt/auth-server/bin/auth-server"]
CMD ["serve"]
