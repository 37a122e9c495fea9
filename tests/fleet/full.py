"""The whole image, for tests of what runs inside: built once for all of them, or reused when its digest is there."""

from __future__ import annotations

import os

import pytest

from ccp_tui.incus.api.connection import Connection, local_endpoint
from ccp_tui.incus.image import build

# An alias of an image to take as it is: whoever changes the code that is in the image saves a build per change.
GIVEN = os.environ.get("CCP_FULL_IMAGE", "")
# Before any test says that its Incus is elsewhere.
DAEMON = local_endpoint()


@pytest.fixture(scope="session")
def full_image(incus: None) -> str:
    """The alias of the image of this ccp. It stays where it is: the next run reuses it."""
    from tests.fleet.conftest import at_once

    async def made(connection: Connection) -> str:
        lines: list[str] = []
        try:
            return (await build.build(connection, on_line=lines.append, latest=False)).alias
        except BaseException:
            print("\n".join(lines[-50:]))
            raise

    return GIVEN or at_once(made)
