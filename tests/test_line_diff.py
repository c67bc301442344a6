"""A diff says all that a patch needs, and large texts do not wait for it."""

from __future__ import annotations

import re
from difflib import unified_diff

from hypothesis import given
from hypothesis import strategies as st
from laws import at_most, examples

from onnxtext.core.line_diff import line_diff

TEXTS = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\n", " \x0b\n", "\n"]), max_size=30).map("".join) | st.text(
    "ab\n", max_size=30
)


def patched(old: str, diff: str) -> str:
    """Return what a diff makes of `old`, which has to be what the diff says it is."""
    lines, out, at = re.findall(r"[^\n]*\n|[^\n]+", old), [], 0
    body = diff.replace("\n\\ No newline at end of file\n", "")
    for hunk in re.split(r"^@@ ", body, flags=re.MULTILINE)[1:]:
        head, _, rest = hunk.partition(" @@\n")
        numbers = [[int(n) for n in part[1:].split(",")] for part in head.split(" ")]
        (start, count), (_, new_count) = [(n[0], n[1] if len(n) > 1 else 1) for n in numbers]
        start -= count > 0
        out += lines[at:start]
        changes = re.findall(r"[^\n]*\n|[^\n]+", rest)
        assert [c[1:] for c in changes if c[0] != "+"] == lines[start : start + count]
        new = [c[1:] for c in changes if c[0] != "-"]
        assert len(new) == new_count
        out += new
        at = start + count
    return "".join(out + lines[at:])


@examples(300)
@given(TEXTS, TEXTS)
def test_a_diff_makes_the_new_text_of_the_old(old: str, new: str):
    diff = line_diff(old, new, "text")
    assert (diff == "") == (old == new)
    if old.endswith("\n") and new.endswith("\n"):  # the mark for a missing line end belongs to no line
        assert patched(old, diff) == new


def test_a_diff_is_that_of_difflib_where_lines_are_unlike():
    old = "".join(f"line {k}\n" for k in range(100))
    new = old.replace("line 7\n", "line seven\n").replace("line 50\n", "").replace("line 90\n", "line 90\nmore\n")
    expected = unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), "text", "text")
    assert line_diff(old, new, "text") == "".join(expected)


def test_every_other_line_of_a_large_text_may_change():
    old = "".join(f"line {k}\nand so on\n" for k in range(20_000))
    new = re.sub(r"(?m)^(?=line \d*[13579]$)", " ", old)
    with at_most(3):
        diff = line_diff(old, new, "text")
    assert diff.count("\n-") == 10_000
