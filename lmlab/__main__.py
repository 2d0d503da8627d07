"""``python -m lmlab`` is the command ``lmlab``; so is ``accelerate launch -m lmlab``."""

import sys

from lmlab.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
