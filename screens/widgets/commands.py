"""Shell commands of agents as people read them."""

from __future__ import annotations

import re

# A report carries a path, a socket and a token that say nothing to a reader; a cut one may end within them.
_REPORT = re.compile(r"\S*/?ccp report(?: --\w+[ =]\S+)*(?: |$)")


def short_command(command: str) -> str:
    """The command without the parts of a report that only the service needs."""
    return _REPORT.sub("ccp report ", command).rstrip()
