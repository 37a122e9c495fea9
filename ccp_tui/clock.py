"""The one clock of the product: UTC, ISO-8601, milliseconds, so that times sort as text everywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def now() -> str:
    """The present moment as ``2026-11-23T06:54:15.123Z``."""
    return stamp(datetime.now(UTC))


def after(seconds: float) -> str:
    """The moment so many seconds from now, or, with a negative number, ago."""
    return stamp(datetime.now(UTC) + timedelta(seconds=seconds))


def stamp(moment: datetime) -> str:
    """Any aware datetime in the product's one format."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def from_ms(epoch_ms: float) -> str:
    """A gateway time (milliseconds since 1970) in the product's one format."""
    return stamp(datetime.fromtimestamp(epoch_ms / 1000, UTC))


def parse(text: str) -> datetime:
    """The aware datetime of a time in the product's format. Raises ValueError on anything else."""
    if len(text) != len("2026-11-23T06:54:15.123Z"):
        raise ValueError(f"{text!r} is no time as ccp writes it")
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def seconds_since(text: str) -> float:
    """How many seconds ago a time in the product's format was; negative when it lies in the future."""
    return (datetime.now(UTC) - parse(text)).total_seconds()


def age(since: str, until: str | None = None) -> str:
    """A short age for people: ``12s``, ``5m``, ``3h``, ``9d``. A time in the future counts as 0s."""
    end = parse(until) if until else datetime.now(UTC)
    seconds = max(0, int((end - parse(since)).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
