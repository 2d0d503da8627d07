# The page for a server: the README's steps, at the versions of constraints.txt. Runs as a user of
# its own, writes below /data alone (docker run --read-only --tmpfs /tmp -v lmlab:/data …).
FROM python:3.11.14-slim-bookworm

ENV PIP_NO_CACHE_DIR=1 \
    PIP_CONSTRAINT=/app/constraints.txt

WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY assets assets
COPY lmlab lmlab

RUN python3 -m venv .venv
RUN .venv/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
RUN .venv/bin/pip install -e .
RUN .venv/bin/python -m compileall -q lmlab \
    && useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin lmlab \
    && install -d -o lmlab -g lmlab /data

ENV HOME=/data \
    TMPDIR=/data/tmp \
    HF_HOME=/data/huggingface \
    LMLAB_RUNS_DIR=/data/runs \
    LMLAB_PUBLIC=true \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

USER lmlab
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD [".venv/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/health', timeout=4)"]
CMD ["sh", "-c", "mkdir -p \"$TMPDIR\" && exec .venv/bin/lmlab app --host 0.0.0.0 --port 7860"]
