"""One whole deployment for all modules that look into one: made by the command line, with a key of its own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ccp_tui.incus.deployments import network
from tests.support.provider import Provider

KEY = "sk-of-the-test-1234567890"


@dataclass(frozen=True)
class Site:
    """A deployment and the ways to it."""

    name: str
    port: int
    key: Path
    known: Path
    said: str

    def ssh(self, *more: str) -> list[str]:
        options = [f"UserKnownHostsFile={self.known}", "StrictHostKeyChecking=accept-new", "BatchMode=yes",
                   "ConnectTimeout=10"]  # fmt: skip
        words = [word for option in options for word in ("-o", option)]
        return ["ssh", "-F", "none", "-p", str(self.port), "-i", str(self.key), *words, *more]

    @property
    def seen(self) -> str:
        """How its name begins, as far as a narrow list shows it."""
        return self.name[:12]

    def inside(self, *words: str, user: int = 0) -> subprocess.CompletedProcess[str]:
        """A command in the container, as one of its users."""
        command = ["incus", "exec", self.name, "--user", str(user), "--group", str(user), "--", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What a verb over SSH answers."""
        command = self.ssh("ccp@127.0.0.1", *words)
        return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def ccp(*words: str, told: str | None = None) -> subprocess.CompletedProcess[str]:
    """A verb of the host."""
    command = [sys.executable, "-m", "ccp_tui", *words]
    return subprocess.run(command, input=told, capture_output=True, text=True, timeout=300)


def well(site: Site, seconds: float = 240) -> None:
    """Fails unless gateway and service are ready again in time; a machine under load may not answer at once."""
    end, found = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        told = ccp("fleet", "list", "--json")
        found = told.stderr
        if told.returncode == 0:
            (row,) = [each for each in json.loads(told.stdout) if each["name"] == site.name]
            if row["health"] == {"gateway": "ready", "service": "ready"}:
                return
            found = str(row)
        time.sleep(1)
    pytest.fail(f"not well again: {found}")


@pytest.fixture(scope="session")
def bridge_provider(incus: None) -> Iterator[Provider]:
    from tests.fleet.conftest import at_once

    with Provider(host=at_once(network.settle)) as running:
        yield running


@pytest.fixture(scope="session")
def site(
    full_image: str, bridge_provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    from tests.fleet.conftest import at_once, remove_all

    folder = tmp_path_factory.mktemp("site")
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=20)
    name = f"ccptest-{secrets.token_hex(3)}-whole"
    try:
        made = ccp(
            "fleet", "create", name, "--image", full_image, "--cpu", "2", "--memory", "2GiB", "--disk", "5GiB",
            "--ssh-key", f"{key}.pub", "--provider", "scripted", "--provider-url", bridge_provider.url,
            "--model", "fake-1", "--api-key-file", "-", told=f"{KEY}\n",
        )  # fmt: skip
        assert made.returncode == 0, made.stdout + made.stderr
        listed = json.loads(ccp("fleet", "list", "--json").stdout)
        (row,) = [each for each in listed if each["name"] == name]
        assert (row["state"], row["health"]) == ("running", {"gateway": "ready", "service": "ready"}), row
        yield Site(name, row["port"], key, folder / "known", made.stdout + made.stderr)
    finally:
        at_once(lambda connection: remove_all(connection, name))
