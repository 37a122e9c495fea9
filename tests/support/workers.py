"""How several workers share the tests: what needs one real part stays together, all other tests go by file.

The real gateway and the full image are made once per worker and take minutes, so one worker has all tests that need the
one, and one those that need the other. They are the largest groups, which pytest-xdist hands out first.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import NodeManager

GROUPS = ("real", "incus")  # by these markers; the first that a test has counts
CLEAN_UP_S = 90  # a run that is interrupted ends the processes and deletes the instances that it made


class ByFile(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
    """Groups as they are marked; tests without one stay with those of their file."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return scope.split("::", 1)[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the groups, before xdist reads the marks."""
    for item in items:
        group = next((name for name in GROUPS if item.get_closest_marker(name)), None)
        if group:
            item.add_marker(pytest.mark.xdist_group(group))


def pytest_configure() -> None:
    """Ten seconds, xdist's own, are not enough to delete a container."""
    NodeManager.EXIT_TIMEOUT = CLEAN_UP_S


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """The scheduler, whichever ``--dist`` says."""
    return ByFile(config, log)
