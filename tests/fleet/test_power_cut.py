"""A deployment that was ended in the midst of its work starts again as if nothing had been."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ccp_tui.incus.image import firstboot
from tests.fleet.site import Site, ccp, well

LOCKS = "/home/openclaw/.openclaw/tmp/openclaw-1001/gateway.*.lock"


def test_locks_of_a_gateway_that_is_gone_are_taken_away(tmp_path: Path) -> None:
    firstboot.forget_owner(tmp_path)
    folder = tmp_path / "tmp" / "openclaw-1001"
    folder.mkdir(parents=True)
    for name in ("gateway.state.lock", "gateway.1543dd58.lock", "gateway.state.lock.sqlite", "other.lock"):
        (folder / name).touch()
    firstboot.forget_owner(tmp_path)
    assert sorted(one.name for one in folder.iterdir()) == ["gateway.state.lock.sqlite", "other.lock"]


@pytest.mark.incus
@pytest.mark.slow
def test_the_gateway_starts_though_its_old_number_is_somebody_elses(site: Site) -> None:
    """The number in its locks becomes that of a process which is there after each start and which it can't see."""
    changed = site.inside(
        "sh", "-c", f'sed -i \'s/"pid": [0-9]*/"pid": 1/\' {LOCKS} && grep -l \'"pid": 1,\' {LOCKS}'
    )
    assert len(changed.stdout.split()) == 2, changed
    subprocess.run(["incus", "stop", "--force", site.name], check=True, timeout=60, stdin=subprocess.DEVNULL)
    assert ccp("fleet", "start", site.name).returncode == 0
    well(site)
