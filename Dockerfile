# Hoptac with SQLite on /data:
#   docker build -t hoptac .
#   docker run -p 8000:8000 -v hoptac:/data hoptac                                  # a registry of your own, empty at first
#   docker run -p 8000:8000 -v hoptac:/data hoptac hoptac serve --migrate --seed    # with the dataset
# PostgreSQL: set HOPTAC_DATABASE_URL, as compose.yaml does. Every setting is in docs/settings.md.
# BASE is any image with Python 3.11 or newer and its venv module; CI builds on a plain Debian.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/hoptac
ENV PATH=/opt/hoptac/bin:$PATH
WORKDIR /src
# What changes least comes first: the dependencies, each pinned by its hash.
COPY requirements.txt ./
RUN pip install --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE openapi.json ./
COPY docs docs
COPY app app
COPY migrations migrations
COPY seed seed
# Installers and build backend are not needed to run, so they do not reach the last stage.
RUN pip install --no-deps --no-build-isolation . \
    && pip uninstall --yes uv-build setuptools pip

FROM ${BASE}
LABEL org.opencontainers.image.title="Hoptac" \
      org.opencontainers.image.description="An open registry of international cooperation, with evidence for every figure." \
      org.opencontainers.image.licenses="MIT"
# A fixed id, so that the owner of a mounted folder can be set from outside. The name is for those who look inside.
RUN groupadd --gid 10001 hoptac \
    && useradd --uid 10001 --gid hoptac --no-create-home --home-dir /data --shell /usr/sbin/nologin hoptac \
    && install --directory --owner=hoptac --group=hoptac /data
COPY --from=build /opt/hoptac /opt/hoptac
ENV PATH=/opt/hoptac/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOPTAC_HOST=0.0.0.0 \
    HOPTAC_PORT=8000 \
    HOPTAC_DATABASE_URL=sqlite:////data/hoptac.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/readyz' % os.environ['HOPTAC_PORT'], timeout=4)"]
# It migrates, which is safe for any number of containers at once, and leaves the data alone: seeding is a choice.
CMD ["hoptac", "serve", "--migrate"]
