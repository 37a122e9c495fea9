"""Who we are and where the gateway is: the identity file, the signature, the token's many places."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ccp_tui.gateway import GatewaySettings, json5
from ccp_tui.gateway.identity import Device, IdentityError
from ccp_tui.paths import Home


def test_the_identity_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "device.json"
    device = Device.load(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Device.load(path).id == device.id
    assert [entry.name for entry in path.parent.iterdir()] == ["device.json"], "no draft stays behind"
    raw = base64.urlsafe_b64decode(device.public_key + "=")
    assert device.id == hashlib.sha256(raw).hexdigest()
    path.chmod(0o644)
    Device.load(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"seed": "AAAA"}', '{"seed": "%%"}', '{"seed": 7}'])
def test_a_broken_identity_is_told_and_left_alone(tmp_path: Path, body: str) -> None:
    path = tmp_path / "device.json"
    path.write_text(body)
    with pytest.raises(IdentityError, match="delete it"):
        Device.load(path)
    assert path.read_text() == body


def test_the_signature_covers_what_is_claimed(tmp_path: Path) -> None:
    device = Device.load(tmp_path / "device.json")
    signature = device.sign(
        client_id="openclaw-tui",
        mode="ui",
        role="operator",
        scopes=("operator.read", "operator.write"),
        signed_at=1795409653797,
        token="tok",
        nonce="n-1",
        platform="Linux",
    )
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(device.public_key + "="))
    claim = (
        f"v3|{device.id}|openclaw-tui|ui|operator|operator.read,operator.write|1795409653797|tok|n-1|linux|"
    )
    key.verify(base64.urlsafe_b64decode(signature + "=="), claim.encode())


def load(tmp_path: Path, token_file: Path | None = None, **env: str) -> GatewaySettings:
    return GatewaySettings.load(Home(tmp_path), token_file, {"HOME": str(tmp_path), **env})


def configure(tmp_path: Path, text: str, folder: str = ".openclaw") -> Path:
    path = tmp_path / folder / "openclaw.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


PLAIN = json.dumps({"gateway": {"port": 19001, "auth": {"mode": "token", "token": "from-config"}}})


def test_with_nothing_at_all_the_default_and_the_reason(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.url == "ws://127.0.0.1:18789"
    assert settings.token is None
    assert settings.token_source.startswith("none found")
    assert "does not exist" in settings.token_source
    assert settings.device_path == tmp_path / "device.json"


def test_the_order_of_the_tokens_places(tmp_path: Path) -> None:
    path = configure(tmp_path, PLAIN)
    settings = load(tmp_path)
    assert (settings.token, settings.token_source) == ("from-config", str(path))
    assert settings.url == "ws://127.0.0.1:19001"
    settings = load(tmp_path, CCP_GATEWAY_TOKEN=" from-env ")
    assert (settings.token, settings.token_source) == ("from-env", "CCP_GATEWAY_TOKEN")
    given = tmp_path / "token"
    given.write_text("from-file\n")
    settings = load(tmp_path, given, CCP_GATEWAY_TOKEN="from-env", CCP_GATEWAY_URL="ws://box:1")
    assert (settings.token, settings.token_source, settings.url) == ("from-file", str(given), "ws://box:1")


def test_a_named_token_file_is_not_silently_replaced(tmp_path: Path) -> None:
    configure(tmp_path, PLAIN)
    settings = load(tmp_path, tmp_path / "missing", CCP_GATEWAY_TOKEN="from-env")
    assert settings.token is None
    assert "missing can't be read" in settings.token_source
    empty = tmp_path / "empty"
    empty.write_text(" \n")
    assert "is empty" in load(tmp_path, empty).token_source


def test_openclaw_is_found_where_it_looks_itself(tmp_path: Path) -> None:
    configure(tmp_path, PLAIN)
    configure(tmp_path, PLAIN.replace("from-config", "from-state"), "state")
    named = configure(tmp_path, PLAIN.replace("from-config", "from-path"), "elsewhere")
    state = str(tmp_path / "state")
    assert load(tmp_path, OPENCLAW_STATE_DIR=state).token == "from-state"
    assert load(tmp_path, OPENCLAW_STATE_DIR=state, OPENCLAW_CONFIG_PATH=str(named)).token == "from-path"


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ({"source": "env", "provider": "default", "id": "GW"}, "a secret kept elsewhere (env:default:GW)"),
        (None, "has no gateway.auth.token"),
        ("", "has no gateway.auth.token"),
        (7, "has no gateway.auth.token"),
        ("${GW_TOKEN}", "refers to $GW_TOKEN, which is not set here"),
    ],
)
def test_a_token_that_is_not_there_is_explained(tmp_path: Path, token: object, words: str) -> None:
    configure(tmp_path, json.dumps({"gateway": {"auth": {"token": token}}}))
    settings = load(tmp_path)
    assert settings.token is None
    assert words in settings.token_source


def test_a_token_in_a_variable(tmp_path: Path) -> None:
    configure(tmp_path, json.dumps({"gateway": {"auth": {"token": "${GW_TOKEN}"}}}))
    settings = load(tmp_path, GW_TOKEN="secret")
    assert (settings.token, settings.token_source) == ("secret", "GW_TOKEN")


@pytest.mark.parametrize("text", ["{", "[1]", "nonsense here", '{"gateway": 7}', '{"gateway": {"auth": []}}'])
def test_a_broken_configuration_is_explained(tmp_path: Path, text: str) -> None:
    path = configure(tmp_path, text)
    settings = load(tmp_path)
    assert settings.token is None
    assert str(path) in settings.token_source


def test_a_configuration_as_people_write_it(tmp_path: Path) -> None:
    configure(
        tmp_path,
        """// mine
        {
          gateway: { /* local
             only */ port: 19002, auth: { mode: 'token', token: 'it\\'s "ours" // really', }, },
          agents: { list: [1, 2.5, -3,], on: true, none: null, },
        }
        """,
    )
    settings = load(tmp_path)
    assert settings.token == 'it\'s "ours" // really'
    assert settings.url.endswith(":19002")


def test_json5_names_the_line() -> None:
    with pytest.raises(json5.BadJson5, match="line 3"):
        json5.loads("{\n  // fine\n  a: @,\n}")
    with pytest.raises(json5.BadJson5):
        json5.loads("{a: [}")
    assert json5.loads("[1, [2, {a: 3,},],]") == [1, [2, {"a": 3}]]
