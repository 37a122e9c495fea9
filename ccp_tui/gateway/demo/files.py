"""The files that scripted agents write: small, valid of their kind, and about the task in question."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

# One grey pixel: the smallest picture that every viewer opens.
_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="


@dataclass(frozen=True)
class Matter:
    """What a file is to say: the task's title and summary, its criteria, and words that checks look for."""

    name: str
    title: str
    summary: str
    criteria: Sequence[str]
    wanted: Sequence[str]

    @property
    def lines(self) -> list[str]:
        return [line for line in (self.summary.strip(), *self.criteria, *self.wanted) if line]


def write_command(
    path: str, *, title: str, summary: str, criteria: Sequence[str], wanted: Sequence[str]
) -> str:
    """The shell command that writes a sensible file at a path, relative to the agent's workspace."""
    target = path.replace("\0", "").strip()
    if target.endswith("/"):
        target += "README.md"
    quoted = shlex.quote(target)
    folder = str(PurePosixPath(target).parent)
    make = "" if folder == "." else f"mkdir -p -- {shlex.quote(folder)} && "
    if target.lower().endswith(".png"):
        return f"{make}printf '%s' {_PNG} | base64 -d > {quoted}"
    matter = Matter(PurePosixPath(target).name, title, summary, criteria, wanted)
    return f"{make}printf '%s' {shlex.quote(content(target, matter))} > {quoted}"


def content(path: str, matter: Matter) -> str:
    """The text of a file, by its extension; plain text for kinds that are not known."""
    writer = _KINDS.get(PurePosixPath(path.lower()).suffix.lstrip("."), _text)
    return writer(matter).replace("\0", "").rstrip("\n") + "\n"


def needles(commands: Sequence[str], path: str) -> list[str]:
    """The words that checks look for in a file: the patterns of their ``grep`` commands, as plain text."""
    found: list[str] = []
    for command in commands:
        for pattern, names in _greps(command):
            if pattern and (not names or any(_same(name, path) for name in names)):
                found.append(re.sub(r"[\\^$]|\.\*", "", pattern))
    return list(dict.fromkeys(found))


def missing_words(commands: Sequence[str]) -> list[str]:
    """Shell commands that make checks pass which did not: files they test are made, words they look for are added."""
    mended: list[str] = []
    for command in commands:
        for name in re.findall(r"\btest -[sfer] ([\w./-]+)", command):
            mended.append(
                f"test -s {name} || {write_command(name, title=name, summary='', criteria=(), wanted=())}"
            )
        for pattern, names in _greps(command):
            word = shlex.quote(re.sub(r"[\\^$]|\.\*", "", pattern))
            for name in map(shlex.quote, names):
                mended.append(f"grep -qF -- {word} {name} || printf '%s\\n' {word} >> {name}")
    return list(dict.fromkeys(mended))


def _greps(command: str) -> list[tuple[str, list[str]]]:
    """Each grep of a command: what it looks for, and in which files."""
    try:
        lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return []
    return [_grep(words[start + 1 :]) for start, word in enumerate(words) if word == "grep"]


def _grep(words: Sequence[str]) -> tuple[str, list[str]]:
    plain: list[str] = []
    for word in words:
        if word in {"&&", "||", "|", ";", "&", ">", "<"}:
            break
        if not word.startswith("-"):
            plain.append(word)
    return (plain[0], plain[1:]) if plain else ("", [])


def _same(name: str, path: str) -> bool:
    return PurePosixPath(name) == PurePosixPath(path)


def _text(matter: Matter) -> str:
    return "\n".join([matter.title, "", *matter.lines])


def _markdown(matter: Matter) -> str:
    parts = [f"# {matter.title}", ""]
    if matter.summary.strip():
        parts += [matter.summary.strip(), ""]
    parts += [f"- {line}" for line in (*matter.criteria, *matter.wanted)]
    return "\n".join(parts)


def _html(matter: Matter) -> str:
    title = html.escape(matter.title)
    # A check greps for what it was told, entities or not, so wanted words stay as they are.
    body = [f"    <p>{html.escape(line)}</p>" for line in (matter.summary.strip(), *matter.criteria) if line]
    body += [f"    {line if line.startswith('<') else f'<p>{line}</p>'}" for line in matter.wanted]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "  <head>",
            '    <meta charset="utf-8">',
            f"    <title>{title}</title>",
            "  </head>",
            "  <body>",
            f"    <h1>{title}</h1>",
            *body,
            "  </body>",
            "</html>",
        ]
    )


def _commented(mark: str, rest: str = "") -> Callable[[Matter], str]:
    def write(matter: Matter) -> str:
        said = "\n".join([matter.title, *matter.lines])
        return "\n".join([*(f"{mark} {line}".rstrip() for line in said.splitlines()), rest])

    return write


def _python(matter: Matter) -> str:
    said = _commented("#")(matter).rstrip()
    main = f"def main() -> None:\n    print({matter.title!r})\n"
    return f'{said}\n\n\n{main}\n\nif __name__ == "__main__":\n    main()\n'


def _shell(matter: Matter) -> str:
    return f"#!/bin/sh\n{_commented('#')(matter).rstrip()}\nprintf '%s\\n' {shlex.quote(matter.title)}\n"


def _json(matter: Matter) -> str:
    notes = [*matter.criteria, *matter.wanted]
    body = {"title": matter.title, "summary": matter.summary.strip(), "notes": notes}
    return json.dumps(body, indent=2, ensure_ascii=False)


def _yaml(matter: Matter) -> str:
    notes = [f"  - {json.dumps(line)}" for line in matter.lines]
    return "\n".join([f"title: {json.dumps(matter.title)}", "notes:", *notes])


def _csv(matter: Matter) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([("number", "note"), *enumerate([matter.title, *matter.lines], 1)])
    return out.getvalue()


def _css(matter: Matter) -> str:
    said = " ".join([matter.title, *matter.lines]).replace("*/", "* /")
    return f"/* {said} */\nbody {{\n  margin: 2rem auto;\n  max-width: 40rem;\n}}\n"


def _javascript(matter: Matter) -> str:
    return f"{_commented('//')(matter).rstrip()}\nconsole.log({json.dumps(matter.title)});\n"


def _svg(matter: Matter) -> str:
    title = html.escape(matter.title)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 80" role="img">\n'
        f"  <title>{title}</title>\n"
        f'  <text x="16" y="46" font-family="sans-serif" font-size="18">{title}</text>\n'
        "</svg>\n"
    )


def _xml(matter: Matter) -> str:
    notes = "".join(f"\n  <note>{html.escape(line)}</note>" for line in matter.lines)
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<document title="{html.escape(matter.title)}">'
    return f"{head}{notes}\n</document>\n"


def _pdf(matter: Matter) -> str:
    """One page with the title; offsets in the table are real, so viewers need no repair."""
    said = re.sub(r"[\\()]", " ", matter.title.encode("ascii", "replace").decode())
    stream = f"BT /F1 18 Tf 72 720 Td ({said}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    tail = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return f"{out}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{tail}"


_KINDS: dict[str, Callable[[Matter], str]] = {
    "md": _markdown,
    "markdown": _markdown,
    "html": _html,
    "htm": _html,
    "py": _python,
    "sh": _shell,
    "json": _json,
    "yaml": _yaml,
    "yml": _yaml,
    "toml": lambda matter: f"{_commented('#')(matter).rstrip()}\ntitle = {json.dumps(matter.title)}\n",
    "csv": _csv,
    "css": _css,
    "js": _javascript,
    "ts": _javascript,
    "svg": _svg,
    "xml": _xml,
    "sql": _commented("--", "SELECT 1;"),
    "pdf": _pdf,
}
