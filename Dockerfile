# The images of a deployment, one target each: `docker build --target serving --tag mlops-assets-serving .`, or .ci/build-images for all.
#
# What a network asks for reaches the commands of the build and no image: the secrets `ca` (a bundle of certificates), `pip.conf` and
# `uv.toml` (a mirror of the package index), and the engines' own build arguments such as HTTPS_PROXY.

# Any Debian 12 with python3 (3.11 or 3.12), its venv module and ca-certificates will do.
ARG BASE=python:3.11.15-slim-bookworm


FROM ${BASE} AS build
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    UV_SYSTEM_CERTS=true \
    UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=true \
    # Layers keep whole seconds only, and nobody could write a stale file's bytecode anew.
    PYC_INVALIDATION_MODE=UNCHECKED_HASH
COPY requirements/uv.txt requirements/build.txt /requirements/
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=uv.toml,target=/etc/uv/uv.toml \
    --mount=type=cache,target=/root/.cache \
    python3 -m venv /opt/uv && \
    /opt/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement /requirements/uv.txt && \
    /opt/uv/bin/uv pip install --quiet --python /opt/uv/bin/python --require-hashes --requirement /requirements/build.txt && \
    python3 -m venv --without-pip /opt/venv


# Of the libraries their own tests are left out, up to a sixth of an image.
FROM build AS lineage-libraries
COPY requirements/lineage.txt /requirements/
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=secret,id=uv.toml,target=/etc/uv/uv.toml \
    --mount=type=cache,target=/root/.cache \
    /opt/uv/bin/uv pip install --quiet --python /opt/venv/bin/python --require-hashes --requirement /requirements/lineage.txt && \
    find /opt/venv -type d -name tests -prune -exec rm -rf {} + && \
    # Descriptions of every service of Google's; the ones used here have clients of their own.
    rm -rf /opt/venv/lib/python3*/site-packages/googleapiclient/discovery_cache/documents


FROM build AS serving-libraries
COPY requirements/serving.txt /requirements/
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=secret,id=uv.toml,target=/etc/uv/uv.toml \
    --mount=type=cache,target=/root/.cache \
    /opt/uv/bin/uv pip install --quiet --python /opt/venv/bin/python --require-hashes --requirement /requirements/serving.txt && \
    find /opt/venv -type d -name tests -prune -exec rm -rf {} +


FROM build AS dashboard-libraries
COPY requirements/dashboard.txt /requirements/
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=secret,id=uv.toml,target=/etc/uv/uv.toml \
    --mount=type=cache,target=/root/.cache \
    /opt/uv/bin/uv pip install --quiet --python /opt/venv/bin/python --require-hashes --requirement /requirements/dashboard.txt && \
    find /opt/venv -type d -name tests -prune -exec rm -rf {} +


# The package alone, so that a change of code is a small layer on top of the libraries'.
FROM build AS package
COPY pyproject.toml README.md LICENSE /source/
COPY mlops_assets /source/mlops_assets
RUN /opt/uv/bin/uv build --quiet --wheel --no-build-isolation --python /opt/uv/bin/python --out-dir /dist /source && \
    /opt/uv/bin/uv pip install --quiet --offline --no-deps --python /opt/venv/bin/python /dist/*.whl


FROM ${BASE} AS runtime
# Nothing installs software here, and nothing gains rights. MLOPS_HOME is there so that a new volume belongs to the user.
RUN rm -rf /usr/local/lib/python3*/site-packages/* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* \
      /usr/lib/python3*/ensurepip /usr/share/python-wheels && \
    find / -xdev -type f -perm /6000 -exec chmod a-s {} + && \
    groupadd --gid 10001 mlops && \
    useradd --no-log-init --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin mlops && \
    install --directory --owner mlops --group mlops --mode 750 /var/lib/mlops
# The root file system may be read-only: /tmp takes the caches, MLOPS_HOME what is to stay.
ENV PATH=/opt/venv/bin:$PATH \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    XDG_CACHE_HOME=/tmp/.cache \
    MPLCONFIGDIR=/tmp/matplotlib \
    NUMBA_CACHE_DIR=/tmp/numba \
    # MLflow looks for git, which is not here.
    GIT_PYTHON_REFRESH=quiet \
    MLOPS_HOME=/var/lib/mlops
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT []


FROM runtime AS lineage
COPY --from=lineage-libraries /opt/venv /opt/venv
COPY --from=package /opt/venv /opt/venv
COPY --chmod=444 deploy/dagster/dagster.yaml deploy/dagster/workspace.yaml /opt/dagster/
ENV DAGSTER_HOME=/opt/dagster \
    MLOPS_DAGSTER_DIR=/var/lib/mlops/dagster
ARG VERSION=0.1.0
ARG REVISION=unknown
# A registered model names the commit that made it.
ENV MLOPS_GIT_COMMIT=${REVISION}
LABEL org.opencontainers.image.title="mlops-assets lineage" \
      org.opencontainers.image.description="Dagster's webserver, daemon and code server, the MLflow server, and every command" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
EXPOSE 3000 4000 5000
CMD ["mlops-assets", "code-server", "--host", "0.0.0.0", "--port", "4000"]


FROM runtime AS serving
COPY --from=serving-libraries /opt/venv /opt/venv
COPY --from=package /opt/venv /opt/venv
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mlops-assets serving" \
      org.opencontainers.image.description="The prediction API" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
EXPOSE 8000
CMD ["mlops-assets", "serve", "--host", "0.0.0.0", "--port", "8000"]


FROM runtime AS dashboard
COPY --from=dashboard-libraries /opt/venv /opt/venv
COPY --from=package /opt/venv /opt/venv
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mlops-assets dashboard" \
      org.opencontainers.image.description="The analysts' dashboard" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
EXPOSE 8501
# It has no login: whoever puts a proxy with one before it adds --behind-proxy.
CMD ["mlops-assets", "dashboard", "--host", "0.0.0.0", "--port", "8501"]
