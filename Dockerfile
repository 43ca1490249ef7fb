# The image of every service in docker-compose.yml. Two stages: what builds is not what runs.
FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /venv
ARG REQUIREMENTS=requirements-image.txt
COPY ${REQUIREMENTS} .
RUN /venv/bin/pip install --require-hashes -r ${REQUIREMENTS}

FROM python:3.11.14-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --home-dir /shop shop && mkdir -p /shop /data && chown shop /data
COPY --from=build /venv /venv
WORKDIR /shop
COPY manage.py ./
COPY quantasneaks quantasneaks
COPY orders orders
COPY fulfillment fulfillment
COPY templates templates
COPY static static
# Collected once, at build; the settings used here make no difference to the files and stay in this layer's shell.
RUN QS_DATA_DIR=/tmp/build python manage.py collectstatic --noinput && rm -rf /tmp/build
USER 10001
ENV QS_DATA_DIR=/data BIND=0.0.0.0
EXPOSE 8000 5555
CMD ["python", "manage.py", "check"]
