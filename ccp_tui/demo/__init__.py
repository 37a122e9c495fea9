"""``ccp demo``: the whole product in a throw-away home, with the embedded gateway and scripted agents.

``stage`` runs the gateway and the control service; ``director`` plays the person, through the service's own API;
``scenes`` is the play; ``front`` is what one sees of it: the board, lines without a terminal, or the gateway alone.
"""

from ccp_tui.demo.front import main

__all__ = ["main"]
