"""The page. Gradio is imported below here alone.

What has to be decided before that import is decided in this file: nothing calls home, and a proxy
of the machine does not come between the server and its own check of itself.
"""

import os


def _local_only() -> None:
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        hosts += [host for host in ("127.0.0.1", "localhost", "0.0.0.0") if host not in hosts]
        os.environ[name] = ",".join(hosts)


_local_only()
