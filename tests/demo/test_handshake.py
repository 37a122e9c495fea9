"""Who gets in, who does not, and what the refused are told: the table of a real gateway on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ccp_tui.gateway.demo.server import EmbeddedGateway
from ccp_tui.gateway.demo.store import StateInUse
from tests.demo.raw import ALL_SCOPES, Device, Json, Raw, Refused


def spoil(**changes: object) -> Callable[[Json], None]:
    """Sets parameters by path: ``client__mode="x"``."""

    def change(params: Json) -> None:
        for path, value in changes.items():
            *folders, name = path.split("__")
            block = params
            for folder in folders:
                block = block[folder]
            block[name] = value

    return change


async def refused(gateway: EmbeddedGateway, close: int, **given: object) -> Refused:
    with pytest.raises(Refused) as caught:
        await Raw.open(gateway.url, **given)  # type: ignore[arg-type]
    assert caught.value.close_code == close
    return caught.value


async def test_a_shared_token_lets_cli_in_with_all_scopes(gateway: EmbeddedGateway) -> None:
    client = await Raw.open(gateway.url)
    assert client.hello["protocol"] == 4
    assert client.hello["auth"]["scopes"] == ALL_SCOPES
    assert "deviceToken" not in client.hello["auth"]
    assert client.hello["policy"]["maxPayload"] == 26_214_400
    assert "chat.send" in client.hello["features"]["methods"]
    await client.close()


@pytest.mark.parametrize("token", ["", "another"])
async def test_an_open_gateway_takes_programs_with_any_token_and_no_web_page(
    tmp_path: Path, token: str
) -> None:
    async with EmbeddedGateway(tmp_path / "state", anyone=True) as gateway:
        for client, device in ((("cli", "cli"), None), (("openclaw-tui", "ui"), Device())):
            let_in = await Raw.open(gateway.url, token, client=client, device=device)
            assert let_in.hello["auth"]["scopes"] == ALL_SCOPES
            await let_in.close()
        for name in ("cli", "openclaw-control-ui"):
            page = await refused(
                gateway,
                1008,
                token="demo",
                client=(name, "ui"),
                device=Device(),
                origin="http://evil.example",
            )
            assert page.detail == "CONTROL_UI_ORIGIN_NOT_ALLOWED"


async def test_a_device_is_paired_silently_and_may_come_back_with_its_own_token(
    gateway: EmbeddedGateway,
) -> None:
    device, tui = Device(), ("openclaw-tui", "ui")
    first = await Raw.open(gateway.url, client=tui, device=device, scopes=["operator.read"])
    token = first.hello["auth"]["deviceToken"]
    again = await Raw.open(gateway.url, token, client=tui, device=device, scopes=["operator.read"])
    assert again.hello["auth"]["method"] == "device-token"
    more = await refused(gateway, 1008, token=token, client=tui, device=device)
    assert more.detail == "AUTH_SCOPE_MISMATCH"
    without = await refused(gateway, 1008, token=token, client=tui)
    assert without.detail == "AUTH_TOKEN_MISMATCH"
    moved = await refused(gateway, 1008, client=tui, device=device, change=spoil(client__platform="plan9"))
    assert moved.detail == "DEVICE_AUTH_SIGNATURE_INVALID"
    await first.close()
    await again.close()


async def test_a_device_on_another_platform_must_be_paired_again(gateway: EmbeddedGateway) -> None:
    device = Device()
    await (await Raw.open(gateway.url, device=device)).close()
    sign = device.sign
    device.sign = lambda params, challenge, token: (  # type: ignore[method-assign]
        params["client"].update(platform="plan9") or sign(params, challenge, token)
    )
    failure = await refused(gateway, 1008, device=device)
    assert failure.error["code"] == "NOT_PAIRED"
    assert failure.error["details"]["reason"] == "metadata-upgrade"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"token": "wrong"}, "AUTH_TOKEN_MISMATCH"),
        ({"token": "wrong", "device": Device()}, "AUTH_TOKEN_MISMATCH"),
        ({"token": "", "device": Device()}, "AUTH_TOKEN_MISSING"),
        ({"token": ""}, "DEVICE_IDENTITY_REQUIRED"),
        ({"client": ("openclaw-tui", "ui")}, "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"),
        ({"client": ("openclaw-control-ui", "ui")}, "CONTROL_UI_ORIGIN_NOT_ALLOWED"),
        ({"device": Device(), "change": spoil(device__signature="AAAA")}, "DEVICE_AUTH_SIGNATURE_INVALID"),
        ({"device": Device(), "change": spoil(device__signedAt=1)}, "DEVICE_AUTH_SIGNATURE_EXPIRED"),
        ({"device": Device(), "change": spoil(device__nonce="other")}, "DEVICE_AUTH_NONCE_MISMATCH"),
        ({"device": Device(), "change": spoil(device__id="0" * 64)}, "DEVICE_AUTH_DEVICE_ID_MISMATCH"),
        ({"device": Device(), "change": spoil(device__publicKey="?")}, "DEVICE_AUTH_PUBLIC_KEY_INVALID"),
        ({"change": spoil(minProtocol=3, maxProtocol=3)}, "PROTOCOL_MISMATCH"),
    ],
)
async def test_refusals_have_their_codes(
    gateway: EmbeddedGateway, given: dict[str, object], code: str
) -> None:
    close = 1002 if code == "PROTOCOL_MISMATCH" else 1008
    assert (await refused(gateway, close, **given)).detail == code


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (spoil(client__mode="operator"), "at /client/mode: must be equal to one of the allowed values"),
        (spoil(client__id="ccp"), "at /client/id: must be equal to one of the allowed values"),
        (spoil(colour="red"), "unexpected property 'colour'"),
        (spoil(client="x"), "at /client: must be object"),
        (spoil(scopes="x"), "at /scopes: must be array of strings"),
        (spoil(minProtocol="4"), "must have required property 'minProtocol'"),
        (lambda params: params.pop("client"), "must have required property 'id'"),
    ],
)
async def test_parameters_of_connect_are_strict(
    gateway: EmbeddedGateway, change: Callable[[Json], None], words: str
) -> None:
    failure = await refused(gateway, 1008, change=change)
    assert failure.error["code"] == "INVALID_REQUEST"
    assert words in failure.error["message"]


async def test_a_range_of_protocols_that_holds_four_is_fine(gateway: EmbeddedGateway) -> None:
    await (await Raw.open(gateway.url, change=spoil(minProtocol=3, maxProtocol=5))).close()


async def test_without_device_other_clients_get_in_and_may_nothing(gateway: EmbeddedGateway) -> None:
    client = await Raw.open(gateway.url, client=("gateway-client", "ui"))
    assert client.hello["auth"]["scopes"] == []
    with pytest.raises(Refused) as caught:
        await client.call("agents.list")
    assert caught.value.error["code"] == "FORBIDDEN"
    assert caught.value.error["details"]["missingScope"] == "operator.read"
    await client.close()


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ('{"type":"req","id":"1","method":"agents.list"}', 1008),
        ("nonsense", 1008),
        ("[" * 5000, 1008),
        (json.dumps({"type": "req", "id": "1", "method": "connect", "params": {"x": "y" * 70_000}}), 1009),
    ],
)
async def test_a_first_frame_that_is_no_connect_ends_it(
    gateway: EmbeddedGateway, first: str, code: int
) -> None:
    async with connect(gateway.url) as socket:
        await socket.recv()
        await socket.send(first)
        with contextlib.suppress(ConnectionClosed):
            async for _ in socket:
                pass
        assert socket.close_code == code


async def test_odd_frames_after_hello_are_answered_and_harm_nothing(raw: Raw) -> None:
    future = asyncio.get_running_loop().create_future()
    raw._answers["invalid"] = future
    await raw.socket.send("{")
    assert (await asyncio.wait_for(future, 5))["error"]["code"] == "INVALID_REQUEST"
    assert await raw.call("health")


async def test_probes_answer_on_the_same_port(gateway: EmbeddedGateway) -> None:
    def get(path: str) -> Json:
        with urllib.request.urlopen(f"http://127.0.0.1:{gateway.port}{path}", timeout=5) as answer:
            body: Json = json.loads(answer.read())
            return body

    assert await asyncio.to_thread(get, "/healthz") == {"ok": True, "status": "live"}
    assert (await asyncio.to_thread(get, "/readyz"))["ready"] is True


async def test_a_starting_gateway_says_try_again(tmp_path: Path) -> None:
    async with EmbeddedGateway(tmp_path / "s", starting=60) as gateway:
        failure = await refused(gateway, 1013)
        assert failure.error["code"] == "UNAVAILABLE"
        assert failure.error["retryable"] is True
        assert failure.error["details"]["reason"] == "startup-sidecars"


async def test_a_stop_is_announced_and_closes_with_1012(gateway: EmbeddedGateway, raw: Raw) -> None:
    url = gateway.url
    await gateway.stop()
    await raw.until(lambda name, payload: name == "shutdown" and payload["reason"] == "gateway stopping")
    await raw.socket.wait_closed()
    assert raw.socket.close_code == 1012
    with pytest.raises((OSError, InvalidStatus)):
        await connect(url)


async def test_two_gateways_on_one_state_folder_are_one_too_many(
    gateway: EmbeddedGateway, tmp_path: Path
) -> None:
    with pytest.raises(StateInUse):
        await EmbeddedGateway(tmp_path / "state").start()


async def test_events_are_numbered_from_one_without_gaps(raw: Raw) -> None:
    await raw.call(
        "chat.send", {"sessionKey": "agent:main:a", "message": "!stream 5 0", "idempotencyKey": "k"}
    )
    await raw.chat("k", "final")
    assert raw.seqs == list(range(1, len(raw.seqs) + 1))
