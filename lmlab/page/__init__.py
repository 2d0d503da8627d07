"""The page. Gradio is imported below here alone.

What has to be decided before that import is decided in this file: nothing calls home, a proxy of
the machine does not come between the server and its own check of itself, and visitors' files lie in
a folder that holds nothing else.
"""

import os
import tempfile


def _local_only() -> None:
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        hosts += [host for host in ("127.0.0.1", "localhost", "0.0.0.0") if host not in hosts]
        os.environ[name] = ",".join(hosts)
    own = f"lmlab-{os.getuid()}" if hasattr(os, "getuid") else "lmlab"
    os.environ.setdefault("GRADIO_TEMP_DIR", os.path.join(tempfile.gettempdir(), own))


_local_only()
