"""Reading the JSON5 that OpenClaw's configuration may be written in: comments, trailing commas, bare keys, 'quotes'.

The text is rewritten into plain JSON token by token and read by the standard parser; only what is written by hand in
such files is understood (no hexadecimal numbers, no Infinity).
"""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<double>"(?:[^"\\\n]|\\.)*")
      | (?P<single>'(?:[^'\\\n]|\\.)*')
      | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
      | (?P<word>[A-Za-z_$][\w$-]*)
      | (?P<mark>[{}\[\]:,])""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING = ("}", "]")


class BadJson5(ValueError):
    """The text can't be read; says where."""


def loads(text: str) -> Any:
    """The value of a JSON or JSON5 text. Raises BadJson5 with the line."""
    text = text.removeprefix("\ufeff")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    plain = _plain(text)
    try:
        return json.loads(plain)
    except RecursionError:
        raise BadJson5("nested too deep") from None
    except ValueError as error:
        raise BadJson5(str(error)) from None


def _plain(text: str) -> str:
    """Plain JSON with the line breaks of the original, so that errors name the right line."""
    parts: list[str] = []
    comma = -1  # where a comma stands that may turn out to be a trailing one
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise BadJson5(f"line {text.count(chr(10), 0, at) + 1}: unexpected {text[at]!r}")
        at = found.end()
        token = found.group()
        if found.lastgroup == "skip":
            parts.append("\n" * token.count("\n") or " ")
            continue
        if token in _CLOSING and comma >= 0:
            parts[comma] = ""
        comma = len(parts) if token == "," else -1
        parts.append(_token(found.lastgroup or "", token))
    return "".join(parts)


def _token(kind: str, token: str) -> str:
    if kind == "double":
        return token.replace("\\'", "'")
    if kind == "single":
        return '"' + token[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'
    if kind == "word" and token not in ("true", "false", "null"):
        return json.dumps(token)
    if kind == "number":
        number = token.removeprefix("+")
        return str(float(number)) if "." in number else number
    return token
