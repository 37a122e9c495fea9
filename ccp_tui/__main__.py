"""``python -m ccp_tui``: the same as ``ccp``."""

from __future__ import annotations

import sys

from ccp_tui.cli import main

if __name__ == "__main__":
    sys.exit(main())
