"""A process that knows nothing of lmlab and runs receipts."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

Numbers = Callable[[str], list[float]]
ROOT = Path(__file__).parent.parent
# One script after another, each with its own names.
OUTSIDE = """
import contextlib, io, json, sys, traceback
kept = sys.stdout
for line in sys.stdin:
    sys.argv, out = ["receipt.py"], io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(json.loads(line), "receipt.py", "exec"), {"__name__": "__main__"})
        except BaseException:
            print("FAILED", traceback.format_exc())
    if any(name.partition(".")[0] == "lmlab" for name in sys.modules):
        out.write("FAILED: it imported lmlab")
    print(json.dumps(out.getvalue()), file=kept, flush=True)
"""


def running() -> Iterator[Numbers]:
    """``numbers(script)``: what a script prints there, number by number."""
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-c", OUTSIDE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env={**env, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"},
    )

    def run(script: str) -> list[float]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(script) + "\n")
        process.stdin.flush()
        said = json.loads(process.stdout.readline())
        assert "FAILED" not in said, said
        return [float(x) for x in re.findall(r"-?\d+\.\d+", said)]

    yield run
    process.communicate()
