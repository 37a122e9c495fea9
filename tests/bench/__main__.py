"""``python -m tests.bench [NAME …]``: every benchmark, or those named."""

from __future__ import annotations

import importlib
import sys

NAMES = ("store", "service", "screen", "latency", "execution", "fleet")


def main(wanted: list[str]) -> int:
    if unknown := [name for name in wanted if name not in NAMES]:
        print(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in wanted or NAMES:
        for figure in importlib.import_module(f"tests.bench.{name}").run():
            print(figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
