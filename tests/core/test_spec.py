"""A spec file: what it may say, and every error with the line it is on."""

from __future__ import annotations

import textwrap
from pathlib import Path

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given

from ccp_tui.spec import (
    DEFAULT_CHECK_TIMEOUT_S,
    LARGEST_SPEC_BYTES,
    LONGEST_CHECK_NAME,
    TEMPLATE,
    Check,
    Deliverable,
    Spec,
    SpecError,
    incomplete,
    parse,
)

WHOLE = """\
title: Landing page
summary: |
  A page for visitors.
  Two lines.
deliverables:
  - path: ./site//index.html
    description: the page
  - notes.md
success_criteria:
  - it loads fast
  - 2024-01-01
checks:
  - name: there
    command: test -s site/index.html
    timeout_s: 2.5
  - command: |
      cd site
      grep -q title index.html
  - make check
constraints:
  - "no: frameworks"
"""


def test_a_whole_spec() -> None:
    assert parse(WHOLE) == Spec(
        text=WHOLE,
        title="Landing page",
        summary="A page for visitors.\nTwo lines.",
        deliverables=(Deliverable("site/index.html", "the page"), Deliverable("notes.md")),
        success_criteria=("it loads fast", "2024-01-01"),
        checks=(
            Check("there", "test -s site/index.html", 2.5),
            Check("cd site", "cd site\ngrep -q title index.html", DEFAULT_CHECK_TIMEOUT_S),
            Check("make check", "make check", DEFAULT_CHECK_TIMEOUT_S),
        ),
        constraints=("no: frameworks",),
    )


@pytest.mark.parametrize("text", ["title: x", "title: ~\nsummary: null\ndeliverables:\nchecks: []\n", "{}"])
def test_what_is_missing_is_empty(text: str) -> None:
    spec = parse(text)
    assert (spec.summary, spec.deliverables, spec.success_criteria, spec.checks, spec.constraints) == (
        "", (), (), (), ()
    )  # fmt: skip
    assert spec.title == ("x" if text == "title: x" else "")


def test_the_text_is_kept_as_written() -> None:
    text = "# a note\r\ntitle:   x   # the title\r\n"
    assert parse(text).text == text
    assert parse(text).title == "x"


def test_yaml_in_the_way_of_json_is_read_too() -> None:
    assert parse('{"title": "x", "success_criteria": ["a"]}').success_criteria == ("a",)


BAD = {
    "empty": ("", 1, "", "the spec is empty"),
    "only notes": ("# nothing\n# here\n", 1, "", "the spec is empty"),
    "a list": ("\n- a\n", 2, "spec", "must be a mapping with title"),
    "words": ("just words", 1, "spec", "must be a mapping"),
    "unknown key": ("title: x\ndelivrables: []\n", 2, "spec", "has no key 'delivrables'; it has title"),
    "merge key": ("<<: {title: x}", 1, "spec", "has no key '<<'"),
    "key that is no text": ("title: x\n? [a]\n: b\n", 2, "spec", "has no key '?'"),
    "twice": ("title: x\nsummary: y\ntitle: z\n", 3, "title", "title stands twice"),
    "twice in a check": (
        "checks:\n- command: a\n  command: b\n", 3, "command", "command stands twice"
    ),
    "title is a list": ("summary: x\ntitle:\n  - a\n", 3, "title", "title must be text"),
    "list is text": ("title: x\nsuccess_criteria: good\n", 2, "success_criteria", "must be a list"),
    "list is a mapping": ("checks:\n  a: b\n", 2, "checks", "must be a list: start each item with '- '"),
    "colon in an item": (
        "success_criteria:\n- fine\n- it says: this\n", 3, "success_criteria", "quote it when it contains ': '"
    ),
    "empty item": ("constraints:\n- a\n-\n", 3, "constraints", "an item of constraints is empty"),
    "null item": ("constraints: [~]", 1, "constraints", "an item of constraints is empty"),
    "blank item": ("success_criteria:\n- '  '\n", 2, "success_criteria", "is empty"),
    "deliverable without a path": ("deliverables:\n- a\n- description: x\n", 3, "deliverables", "needs a path"),
    "deliverable with more": ("deliverables:\n- path: a\n  size: 3\n", 3, "a deliverable", "has no key 'size'"),
    "deliverable as a list": ("deliverables:\n- [a]\n", 2, "a deliverable", "must be a mapping with path"),
    "same deliverable": ("deliverables:\n- a/b\n- c\n- ./a//b\n", 4, "deliverables", "a/b stands twice"),
    "check without a command": ("checks:\n- name: x\n", 2, "checks", "a check needs a command"),
    "check with an empty command": ("checks:\n- name: x\n  command: ' '\n", 2, "checks", "needs a command"),
    "check with more": ("checks:\n- command: a\n  timeout: 3\n", 3, "a check", "has no key 'timeout'"),
    "brackets": (f"title: x\nsummary: {'[' * 17}{']' * 17}\n", 2, "", "the YAML is nested too deeply"),
    "not ended quote": ("title: x\nsummary: 'open\n\n\n", 2, "", "while scanning a quoted scalar"),
    "not ended list": ("title: x\nchecks: [a\n", 2, "", "while parsing a flow sequence"),
    "tab": ("title: x\nchecks:\n\t- x\n", 3, "", "cannot start any token"),
    "indentation": ("title: x\n   summary: y\n", 2, "", "mapping values are not allowed here"),
    "two documents": ("title: x\n---\ntitle: y\n", 2, "", "found another document"),
    "unknown alias": ("title: x\nsummary: *y\n", 2, "", "found undefined alias"),
    "control character": ("title: x\n\nsummary: a\x1b[31mb\n", 3, "", "the character U+001B does not belong"),
    "zero byte": ("title: \0", 1, "", "U+0000"),
    "half a pair": ("title: x\nsummary: \ud800\n", 2, "", "U+D800"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "field", "words"), BAD.values(), ids=BAD)
def test_every_error_has_its_line(text: str, line: int, field: str, words: str) -> None:
    with pytest.raises(SpecError) as error:
        parse(text)
    assert (error.value.line, error.value.field) == (line, field)
    assert words in error.value.message
    assert str(error.value) == f"line {line}: {error.value.message}"
    assert error.value.message.isprintable()


@pytest.mark.parametrize(
    "path",
    ["''", "~", ".", "./", "./.", "/", "/etc/passwd", "//server/x", "..", "../x", "a/../../x", "a/..", "a/../b",
     "'  '", '"a\\nb"', '" /etc/passwd"', '"\\e[0m/etc"', '"..\\0/x"', '"\\u202e../x"'],
)  # fmt: skip
@pytest.mark.parametrize(
    "form", ["deliverables:\n- good.md\n- {}\n", "deliverables:\n- good.md\n- path: {}\n"]
)
def test_a_path_stays_inside_the_workspace(path: str, form: str) -> None:
    with pytest.raises(SpecError, match="is no path inside the workspace") as error:
        parse(form.format(path))
    assert (error.value.line, error.value.field) == (3, "path")


@pytest.mark.parametrize(
    ("path", "kept"),
    [("a", "a"), ("./a", "a"), ("a//b/./c/", "a/b/c"), ("..a/b..", "..a/b.."), ("ünï/файл.md", "ünï/файл.md"),
     ("'a b'", "a b"), ("'~/x'", "~/x"), (".hidden", ".hidden"), ('"a\\ab"', "ab"), ("12", "12")],
)  # fmt: skip
def test_paths_are_kept_in_their_short_form(path: str, kept: str) -> None:
    assert parse(f"deliverables:\n- {path}\n").deliverables == (Deliverable(kept),)


@pytest.mark.parametrize(
    "timeout", ["0", "-1", "3601", "soon", "nan", "inf", "-inf", "true", "", "~", "'1 min'", "[1]"]
)
def test_a_timeout_is_seconds_up_to_an_hour(timeout: str) -> None:
    with pytest.raises(SpecError, match="timeout_s must be seconds, up to 3600") as error:
        parse(f"checks:\n- command: x\n  timeout_s: {timeout}\n")
    assert (error.value.line, error.value.field) == (3, "timeout_s")


@pytest.mark.parametrize(("timeout", "seconds"), [("1", 1.0), ("0.5", 0.5), ("3600", 3600.0), ("'60'", 60.0)])
def test_timeouts(timeout: str, seconds: float) -> None:
    assert parse(f"checks:\n- command: x\n  timeout_s: {timeout}\n").checks[0].timeout_s == seconds


def test_a_checks_name_is_one_line() -> None:
    long, named = parse(f'checks:\n- "{"x" * 500}"\n- name: "two\\nlines"\n  command: a\n').checks
    assert len(long.name) == LONGEST_CHECK_NAME
    assert long.command == "x" * 500
    assert named.name == "two lines"


def test_what_a_terminal_obeys_is_taken_out_of_the_fields() -> None:
    spec = parse('title: "\\e[31mred\\a"\nsuccess_criteria:\n- "a\\x9b2Jb \\u202ec"\n')
    assert spec.title == "red"
    assert spec.success_criteria == ("ab c",)


def test_the_largest_spec() -> None:
    note = "title: x\n# "
    text = note + "ü" * ((LARGEST_SPEC_BYTES - len(note)) // 2)
    assert parse(text).title == "x"
    with pytest.raises(SpecError, match="the spec is larger than 64 KiB"):
        parse(text + "üü")


@pytest.mark.parametrize(
    "text",
    [
        "success_criteria:\n- &l0 [x, x]\n" + "".join(f"- &l{n + 1} [{f'*l{n}, ' * 9}]\n" for n in range(20)),
        "success_criteria: &a [*a, *a]",
        "title: &a {x: *a}",
        "title: " + "[" * 60_000,
        "title: " + "{a: " * 15_000,
        "success_criteria:\n" + f"- {'[' * 300}{']' * 300}\n" * 100,
        "".join(" " * n + "-\n" for n in range(300)),
    ],
    ids=["laughs", "self", "self in a mapping", "deep list", "deep mapping", "many deep lists", "deep block"],
)  # fmt: skip
def test_bombs_are_refused(text: str) -> None:
    with pytest.raises(SpecError):
        parse(text)


def test_an_alias_of_text_is_text() -> None:
    assert parse("title: &a x\nsummary: *a\nconstraints: [*a]\n").constraints == ("x",)


@pytest.mark.parametrize("count", [4000])
def test_many_items_are_read_in_good_time(count: int) -> None:
    text = "deliverables:\n" + "".join(f"- file-{n}.md\n" for n in range(count))
    assert len(parse(text).deliverables) == count


@pytest.mark.parametrize(
    "tagged",
    ["!!python/object/apply:os.system ['touch {}']", "!!python/name:os.system x", "!!python/module:antigravity x",
     "!!binary aGVsbG8=", "!mine x", "!!int x"],
)  # fmt: skip
def test_tags_construct_nothing(tagged: str, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    came = read(f"title: {tagged.format(trap)}\n")
    if isinstance(came, SpecError):
        assert (came.line, came.field) == (1, "title")
    else:
        assert came.title in ("x", "aGVsbG8=")
    assert not trap.exists()


def test_the_template_is_a_complete_spec() -> None:
    text = TEMPLATE.format(title="Build it")
    spec = parse(text)
    assert spec.title == "Build it"
    assert spec.summary
    assert incomplete(spec.deliverables, spec.success_criteria) == ""
    assert spec.checks
    assert spec.constraints
    assert all(key in yaml.safe_load(text) for key in ("title", "summary", "deliverables", "checks"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("title: x", "the spec names no deliverable"),
        ("success_criteria: [a]", "the spec names no deliverable"),
        ("deliverables: [a]", "the spec names no success criterion"),
        ("deliverables: [a]\nsuccess_criteria: [b]", ""),
    ],
)
def test_what_a_spec_needs_to_be_approved(text: str, problem: str) -> None:
    spec = parse(text)
    assert incomplete(spec.deliverables, spec.success_criteria) == problem


LIKE_YAML = st.text(
    st.sampled_from("title:deliverables- \n[]{}'\"&*!|>%@`#,?\t~ab\0\x1b\ud800") | st.characters()
)


@given(LIKE_YAML | st.builds(lambda body: f"title: x\nchecks:\n{textwrap.indent(body, '  ')}", LIKE_YAML))
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    came = read(text)
    if isinstance(came, SpecError):
        assert 1 <= came.line <= sum(text.count(end) for end in "\n\r\x85\u2028\u2029") + 2
        assert came.message
    else:
        assert came.text == text
        assert all(".." not in Path(one.path).parts for one in came.deliverables)


def read(text: str) -> Spec | SpecError:
    try:
        return parse(text)
    except SpecError as error:
        return error
