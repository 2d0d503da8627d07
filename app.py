"""The hosted entry: ``demo`` is the page over a lab with this machine's settings."""

import os

from lmlab.hosting import bucket, logs, zero
from lmlab.hosting.sigterm import end_politely
from lmlab.lab import Lab
from lmlab.page.app import build_page, serve
from lmlab.runs.owned_runs import TuningRuns
from lmlab.settings import read_settings

# What runs on a host is for strangers, unless its owner says otherwise.
hosted = "SPACE_ID" in os.environ and "LMLAB_PUBLIC" not in os.environ
settings = read_settings(public=True if hosted else None)
bucket.keep(settings, os.environ)
lab = zero.lent(Lab.open(settings))
demo = build_page(lab)

if __name__ == "__main__":
    logs.start(settings)
    lab.service(TuningRuns).recover()
    end_politely()
    serve(demo, lab)
