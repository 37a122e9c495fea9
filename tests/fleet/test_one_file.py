"""A whole deployment as one file: out of its Incus and in again under another name, with the same board."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fleet.conftest import at_once, remove_all
from tests.fleet.site import KEY, Site, ccp, well
from tests.fleet.test_keeping import capture, titles

pytestmark = [pytest.mark.incus, pytest.mark.slow]


@pytest.mark.timeout(600)
def test_out_and_in_again(site: Site, tmp_path: Path) -> None:
    capture(site, "Goes along")
    before, file, twin_name = titles(site), tmp_path / "whole.tar.zst", f"{site.name}-in"
    out = ccp("fleet", "export", site.name, str(file), "--json")
    assert out.returncode == 0, out.stderr
    assert json.loads(out.stdout)["bytes"] == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]
    capture(site, "Stays here")
    try:
        taken = ccp("fleet", "import", str(file), twin_name)
        assert taken.returncode == 0, taken.stderr
        assert ccp("fleet", "start", twin_name).returncode == 0
        (row,) = [
            one for one in json.loads(ccp("fleet", "list", "--json").stdout) if one["name"] == twin_name
        ]
        twin = Site(twin_name, row["port"], site.key, site.known.with_name("known-of-import"), "")
        assert twin.port != site.port
        well(twin)
        assert titles(twin) == before
        key = twin.inside("cat", "/home/openclaw/.openclaw/.env").stdout
        assert KEY in key, "an export holds the deployment's secrets"
    finally:
        at_once(lambda connection: remove_all(connection, twin_name))
