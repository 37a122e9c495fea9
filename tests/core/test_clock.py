"""One format for all times: it sorts as text, and reads back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ccp_tui import clock

MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 2), max_value=datetime(9999, 1, 1), timezones=st.timezones()
)  # fmt: skip


def test_now_has_the_one_format() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    text = clock.now()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert before <= clock.parse(text) <= datetime.now(UTC)


def test_other_zones_become_utc() -> None:
    moment = datetime(2026, 11, 23, 1, 54, 15, 123_999, tzinfo=timezone(timedelta(hours=-5)))
    assert clock.stamp(moment) == "2026-11-23T06:54:15.123Z"


@given(MOMENTS, MOMENTS)
def test_text_sorts_as_time_does(one: datetime, other: datetime) -> None:
    first, second = sorted((one, other))
    assert clock.stamp(first) <= clock.stamp(second)
    assert timedelta(0) <= first - clock.parse(clock.stamp(first)) < timedelta(milliseconds=1)


@given(st.integers(0, 4_102_444_800_000))
def test_gateway_times_keep_their_milliseconds(epoch_ms: int) -> None:
    text = clock.from_ms(epoch_ms)
    assert round(clock.parse(text).timestamp() * 1000) == epoch_ms
    assert clock.stamp(clock.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-11-23",
        "2026-11-23T06:54:15Z",
        "2026-11-23T06:54:15.1Z",
        "2026-11-23T06:54:15.123456Z",
        "2026-11-23T06:54:15.123+00:00",
        "2026-11-23 06:54:15.123Z",
        "2026-13-23T06:54:15.123Z",
        "1763880855123",
    ],
)
def test_no_other_format_is_taken(text: str) -> None:
    with pytest.raises(ValueError, match=r"time"):
        clock.parse(text)


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(-5, "0s"), (0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86399, "23h"), (86400, "1d"),
     (86400 * 400, "400d")],
)  # fmt: skip
def test_age(seconds: int, age: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert clock.age(clock.stamp(start), clock.stamp(start + timedelta(seconds=seconds))) == age


def test_age_until_now() -> None:
    assert clock.age(clock.stamp(datetime.now(UTC) - timedelta(hours=5))) == "5h"
