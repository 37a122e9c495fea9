"""Names, limits, keys and requests that can't be are refused in words, before anything is made."""

from __future__ import annotations

import pytest

from ccp_tui.incus import CreateRequest, FleetError, Limits
from ccp_tui.incus.model import bytes_of, check_public_key
from ccp_tui.incus.names import check_name, join_ref, split_ref

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJvJmBlCfXQzP6pWcrXDrrUHxAT5FjJCO5N0xvK0Uq0m me@here"


@pytest.mark.parametrize("name", ["a", "demo", "demo-2", "a" * 40])
def test_good_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "needs a name"),
        ("a" * 41, "41 characters"),
        ("2fast", "start with a letter"),
        ("-a", "start with a letter"),
        ("Demo", "start with a letter"),
        ("deMo_x", "'M_'"),
        ("a b", "' '"),
        ("a/../b", "'./'"),
        ("demo-", "ends with"),
        ("de--mo", "'--'"),
        ("demo\n", "in it"),
        ("ünï", "start with a letter"),
        ("a;reboot", "';'"),
    ],
)
def test_bad_names_say_what_to_mend(name: str, words: str) -> None:
    with pytest.raises(FleetError) as caught:
        check_name(name)
    assert caught.value.code == "USAGE"
    assert words in caught.value.message


def test_refs() -> None:
    assert split_ref("demo") == ("local", "demo")
    assert split_ref("far:demo") == ("far", "demo")
    assert join_ref("local", "demo") == "demo"
    assert join_ref("far", "demo") == "far:demo"


def test_sizes_need_units() -> None:
    assert bytes_of("2GiB") == 2 * 2**30
    assert bytes_of("500MB") == 500 * 10**6
    for wrong in ("2", "2G", "", "GiB", "-1GiB", "1.5GiB", "2 GiB x"):
        with pytest.raises(FleetError):
            bytes_of(wrong)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(cpu="0"),
        Limits(cpu="1.5"),
        Limits(cpu="0-3"),
        Limits(memory="512MiB"),
        Limits(memory="2048"),
        Limits(disk="1GiB"),
        Limits(processes=10),
    ],
)
def test_limits_that_openclaw_can_not_live_with(limits: Limits) -> None:
    with pytest.raises(FleetError) as caught:
        limits.check()
    assert caught.value.code == "USAGE"


def test_changes_of_limits() -> None:
    assert Limits().changed({"cpu": 4, "memory": "4GiB"}) == Limits("4", "4GiB", "10GiB", 2000)
    with pytest.raises(FleetError, match="no limit named"):
        Limits().changed({"colour": "red"})
    with pytest.raises(FleetError, match="not a number"):
        Limits().changed({"processes": "many"})


def test_public_keys() -> None:
    assert check_public_key(f"# mine\n{KEY}\n") == KEY
    damaged = KEY.replace("AAAAC3", "AAAAC4")
    for wrong in ("", "hello", damaged, KEY[:40], f"{KEY}\n{KEY}", f'command="sh" {KEY}'):
        with pytest.raises(FleetError):
            check_public_key(wrong)
    with pytest.raises(FleetError, match="private key"):
        check_public_key("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n")


def test_a_request_never_shows_its_key() -> None:
    request = CreateRequest("demo", provider="openai", api_key="sk-secret")
    assert "sk-secret" not in repr(request)
    assert request.check() is request


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 0},
        {"port": 70000},
        {"provider": "Open AI"},
        {"provider_url": "file:///etc/passwd"},
        {"api_key": "sk-secret with blank", "provider": "openai"},
        {"api_key": "sk-secret\nX=1", "provider": "openai"},
        {"api_key": "sk-secret"},
        {"ssh_key": "nonsense"},
    ],
)
def test_requests_that_can_not_be(wrong: dict[str, object]) -> None:
    with pytest.raises(FleetError) as caught:
        CreateRequest("demo", **wrong).check()  # type: ignore[arg-type]
    assert caught.value.code == "USAGE"
    assert "sk-secret" not in str(caught.value)
