"""The end of a whole deployment. It comes after all tests that use it (see conftest)."""

from __future__ import annotations

import json
import socket

import pytest

from tests.fleet.conftest import at_once
from tests.fleet.site import Site, ccp

pytestmark = [pytest.mark.incus, pytest.mark.slow]


def test_it_is_deleted_without_a_trace(site: Site) -> None:
    refused = ccp("fleet", "delete", site.name)
    assert refused.returncode == 2, "nobody types the name"
    deleted = ccp("fleet", "delete", site.name, "--yes")
    assert deleted.returncode == 0, deleted.stderr
    assert all(each["name"] != site.name for each in json.loads(ccp("fleet", "list", "--json").stdout))
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", site.port))  # nobody listens there any more
    instances = at_once(lambda connection: connection.get("/1.0/instances"))
    assert not any(str(url).endswith(f"/{site.name}") for url in instances)
