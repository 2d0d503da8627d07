#!/bin/sh
# The page as in the container of the Dockerfile, without a container engine: a user without rights,
# every file system read-only but the data folder and a small /tmp, two cores, a bound on memory.
#
#   sudo tests/confined.sh DATA [PORT]     then, elsewhere, as anybody:
#   LMLAB_TEST_ADDRESS=http://127.0.0.1:PORT pytest tests/ui/test_hosted.py tests/ui/test_page.py
#
# Linux, as root: needs unshare, setpriv and taskset (util-linux). Says what it could not bound.
set -eu
data=${1:?"name a data folder"} port=${2:-7860}
memory=${LMLAB_CONFINED_BYTES:-17179869184} user=10001
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$data" && data=$(cd "$data" && pwd) && chown "$user:$user" "$data"

group=
for parent in /sys/fs/cgroup/memory /sys/fs/cgroup; do
  for file in memory.limit_in_bytes memory.max; do
    if [ -z "$group" ] && mkdir "$parent/lmlab-$$" 2>/dev/null; then
      if [ -w "$parent/lmlab-$$/$file" ] && echo "$memory" > "$parent/lmlab-$$/$file" 2>/dev/null
      then group="$parent/lmlab-$$"; else rmdir "$parent/lmlab-$$"; fi
    fi
  done
done
if [ -n "$group" ]; then
  echo $$ > "$group/cgroup.procs"
  echo "memory: $memory bytes" >&2
else
  echo "memory: not bounded, no cgroup of memory can be written" >&2
fi

export ROOT="$root" DATA="$data" PORT="$port" RUN_AS="$user"
PYTHON_AT=$(dirname "$(dirname "$(readlink -f "$root/.venv/bin/python")")")
export PYTHON_AT
taskset -c 0,1 unshare --mount --pid --fork --mount-proc sh -eu -c '
  mount --make-rprivate /
  mount --bind "$DATA" "$DATA"
  case "$PYTHON_AT" in /root/*)
    # The interpreter lies where nobody else may look: the folder alone is shown.
    mkdir -p "$DATA/.python" && mount --bind "$PYTHON_AT" "$DATA/.python"
    mount -t tmpfs -o mode=755 tmpfs /root && mkdir -p "$PYTHON_AT"
    mount --move "$DATA/.python" "$PYTHON_AT" && rmdir "$DATA/.python"
    mount -o remount,ro,mode=755 /root ;;
  esac
  case "$ROOT$DATA" in */tmp/*) ;; *) mount -t tmpfs -o size=64m,mode=1777 tmpfs /tmp ;; esac
  awk "{print \$2}" /proc/mounts | grep -v -e "^/proc" -e "^/dev" -e "^/sys" | while read -r place; do
    case "$place" in "$DATA"|/tmp) ;; *) mount -o remount,bind,ro "$place" 2>/dev/null || true ;; esac
  done
  if touch "$ROOT/.writable" 2>/dev/null; then echo "the root can be written" >&2; exit 1; fi
  cd "$ROOT"
  exec setpriv --reuid "$RUN_AS" --regid "$RUN_AS" --clear-groups --no-new-privs \
    --inh-caps=-all --bounding-set=-all \
    env -i PATH=/usr/bin:/bin HOME="$DATA" TMPDIR="$DATA/tmp" HF_HOME="$DATA/huggingface" \
    LMLAB_RUNS_DIR="$DATA/runs" LMLAB_PUBLIC=true LMLAB_OFFLINE=true \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    sh -c "mkdir -p \"\$TMPDIR\" && exec .venv/bin/lmlab app --host 127.0.0.1 --port $PORT"
' &
inside=$!

# As a container engine does: the signal reaches the page, which saves its runs and ends.
stop() { kill -TERM $(cat "/proc/$inside/task/$inside/children"); }
trap stop TERM INT
while kill -0 "$inside" 2>/dev/null; do wait "$inside" || true; done
if [ -n "$group" ]; then
  echo $$ > "$group/../cgroup.procs"
  sleep 1
  rmdir "$group"
fi
