"""The hosted entry: ``demo`` is the page over a lab with this machine's settings."""

import os

from lmlab.lab import Lab
from lmlab.settings import Settings
from lmlab.ui.app import build_page, serve

# Folders of a public host are nobody's business, unless its owner says otherwise.
public = "SPACE_ID" in os.environ and "LMLAB_ALLOW_LOCAL" not in os.environ
demo = build_page(Lab.open(Settings(allow_local=False) if public else Settings()))

if __name__ == "__main__":
    serve(demo)
