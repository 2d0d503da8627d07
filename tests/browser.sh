#!/bin/sh
# Makes sure that a Chromium for the browser tests is there; LMLAB_CHROMIUM may name one.
set -eu
if [ -n "${LMLAB_CHROMIUM:-}" ] || command -v chromium-headless-shell >/dev/null 2>&1; then
  exit 0
fi
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  apt-get update -qq
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y -qq chromium-headless-shell >/dev/null || apt-get install -y -qq chromium >/dev/null
  exit 0
fi
command -v chromium >/dev/null 2>&1 || playwright install chromium
