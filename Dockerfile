# syntax=docker/dockerfile:1
# One image for site, workers and sweeper; see compose.yaml. To pin the base image by digest, build
# with --build-arg PYTHON=python:3.13.7-slim-bookworm@sha256:...
ARG PYTHON=python:3.13.7-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --requirement requirements.txt
COPY . .
RUN /venv/bin/pybabel compile --directory locale --domain django \
    && SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))') \
        VAR_DIR=/tmp/var /venv/bin/python manage.py collectstatic --no-input \
    && /venv/bin/python -m compileall -q api blog exports imports microblog staff tasks

FROM ${PYTHON}
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 VAR_DIR=/var/lib/microblog
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin microblog \
    && install -d -m 0700 -o microblog -g microblog /var/lib/microblog
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER 10001
# Only this volume and /tmp are written to, so run the image with a read-only root.
VOLUME /var/lib/microblog
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "microblog.healthcheck"]
CMD ["gunicorn", "microblog.wsgi", "--bind", "0.0.0.0:8000", "--threads", "8", \
    "--no-control-socket"]
