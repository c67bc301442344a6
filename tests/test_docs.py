"""What the documentation shows is true: every example of the language is read, every command is run.

A fenced block says by its language what is done with it:

- `onnxt`: a text, or, where it does not begin with `onnxt`, statements from the body of a graph with the inputs `%x`,
  `%y` and `%z`, each `f32[4]`.  The printer writes it as it stands.  A line `// is printed as` parts it in two, and
  only what is below has to be what the printer writes; `// means the same as` asks for no more than the same bytes.
- `onnxt-error`: the same, not accepted; comment lines at its end hold the message, behind `LINE:COLUMN: ` in the block.
- `console`: lines behind `$ ` (`> ` where they go on) are run, one after the other in a folder of the page's own, and
  print what stands below them; `...` stands for anything.  A command that prints an error may fail, no other.
- `python`: run in the same folder.

Data that an example leaves to the weights file is zeros.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from onnxtext import OnnxTextError
from onnxtext.core.blobs import attach
from onnxtext.core.weights import filler
from onnxtext.core.wire import canonical
from onnxtext.source import Source, print_source, read_text
from onnxtext_grammar import codec
from onnxtext_grammar.attributes import KINDS
from onnxtext_grammar.dtypes import DTYPE_NUMBERS
from onnxtext_grammar.lark_parser import lark_parser
from onnxtext_grammar.literals import KEYWORDS

CHECKOUT = Path(__file__).parent.parent
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
IDLE = {"sh", "text", "toml"}  # languages of blocks that nothing is done with

HEAD = "onnxt 1\ngraph @g (%x: f32[4], %y: f32[4], %z: f32[4]) -> () {\n"
FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PART = re.compile(r"^// (means the same as|is printed as)\n", re.MULTILINE)
REPORT = re.compile(r"(?:^//.*\n)+\Z", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, and the line of the page on which its contents begin."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(CHECKOUT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for found in FENCE.finditer(text):
        yield Block(page, text.count("\n", 0, found.start()) + 2, found[1], found[2])


ALL = [block for page in PAGES for block in blocks(page)]


def examples(language: str) -> list:
    found = [block for block in ALL if block.language == language]
    return [pytest.param(block, id=block.place) for block in found]


# ---- the language


def whole(part: str) -> str:
    """Return a text for an example: itself, or the graph around its statements."""
    return part if part.startswith("onnxt ") else HEAD + re.sub("^(?=.)", " ", part, flags=re.MULTILINE) + "}\n"


def read(text: str) -> bytes:
    """Return the bytes of the model, on which both parsers have to agree."""
    found = [parse(text, filler=filler("zeros")) for parse in (codec.parse, codec.parse_slowly)]
    fast, slow = (b"".join(attach(canonical(a.wire), a.blobs)) for a in found)
    assert fast == slow
    return fast


def printed(text: str) -> list[str]:
    """Return how the printer writes the model of `text`: weights inline, beside the text and left out."""
    assembled = codec.parse(text, filler=filler("zeros"))
    model = Source(canonical(assembled.wire), assembled.blobs)
    texts = [print_source(model, weights=mode).text for mode in ("inline", "sidecar", "elide")]
    return texts if "\nweights " in text else [re.sub("\nweights .*", "", t) for t in texts]


@pytest.mark.parametrize("block", examples("onnxt"))
def test_an_example_means_what_the_page_says(block: Block):
    pieces = PART.split(block.text)
    parts = [whole(part) for part in pieces[::2]]
    marks = ["", *pieces[1::2]] if len(parts) > 1 else ["is printed as"]
    for mark, part in zip(marks, parts, strict=True):
        assert read(part) == read(parts[0]), f"{block.place}: another model:\n{part}"
        if mark == "is printed as":
            texts = printed(part)
            nearest = difflib.get_close_matches(part, texts, n=1, cutoff=0)
            assert part in texts, f"{block.place}: the printer writes:\n{nearest[0]}"


@pytest.mark.parametrize("block", examples("onnxt-error"))
def test_an_example_of_an_error_gives_its_message(block: Block):
    report = REPORT.search(block.text)
    assert report, f"{block.place}: no message"
    message = " ".join(line[2:].strip() for line in report[0].splitlines())
    part = block.text[: report.start()]
    text = whole(part)
    with pytest.raises(OnnxTextError) as caught:
        read_text(text, "example.onnxt")
    found = str(caught.value).splitlines()[0]
    place = re.match(r"example\.onnxt:(\d+):(\d+): ", found)
    if place and text != part:
        line, column = int(place[1]) - HEAD.count("\n"), int(place[2]) - 1
        found = f"{line}:{column}: {found[place.end() :]}"
    elif place:
        found = found.removeprefix("example.onnxt:")
    assert found == message, block.place


def test_every_block_is_of_a_known_language():
    known = {"onnxt", "onnxt-error", "console", "python", *IDLE}
    assert [f"{b.place}: {b.language!r}" for b in ALL if b.language not in known] == []


def test_the_reference_tells_of_every_word_of_the_grammar():
    page = CHECKOUT / "docs/language.md"
    code = re.findall(r"`[^`\n]+`", page.read_text("utf-8")) + [block.text for block in ALL if block.page == page]
    told = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", " ".join(code)))
    words = {str(t.pattern.value) for t in lark_parser().terminals if str(t.pattern.value).isidentifier()}
    assert len(words) > 20, "the words of the grammar are not found"
    kinds = {kind for kind in KINDS if kind != "undefined"}
    assert (words | KEYWORDS | set(DTYPE_NUMBERS) | kinds) - told == set()


# ---- commands


def outcome(block: Block) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the command and the expected output of each command of a console block."""
    commands = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert not commands[0], f"{block.place}: a console block begins with a command"
    line = block.line
    for lines in commands[1:]:
        command, _, rest = lines.partition("\n")
        while rest.startswith("> "):
            more, _, rest = rest.partition("\n")
            command += "\n" + more[2:]
        yield line, command, rest
        line += lines.count("\n")


def matches(found: str, expected: str) -> bool:
    """Tell whether `found` is `expected`, where "..." stands for anything, a line of it for any lines."""
    anything = {"...\n": r"(?:.*\n)*", "...": ".*"}
    pieces = re.split(r"(^\.\.\.\n|\.\.\.)", expected, flags=re.MULTILINE)
    return re.fullmatch("".join(anything.get(piece) or re.escape(piece) for piece in pieces), found) is not None


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the environment of the commands: `onnxtext` and `python` are those of this checkout."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, module in (("onnxtext", "-m onnxtext.cli "), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module}"$@"\n')
        (tools / name).chmod(0o755)
    folders = [CHECKOUT, *(CHECKOUT / name for name in ("grammar", "passes", "predictor"))]
    git = {f"GIT_{who}_{what}": "reader@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return (
        os.environ
        | git
        | {
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(map(str, folders)),
            "HOME": str(tmp_path),
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "100",
        }
    )


RUN = {page: [b for b in ALL if b.page == page and b.language in ("console", "python")] for page in PAGES}


@pytest.mark.skipif(shutil.which("bash") is None, reason="the commands are for a shell")
@pytest.mark.parametrize(
    "page", [pytest.param(page, id=str(page.relative_to(CHECKOUT))) for page in PAGES if RUN[page]]
)
def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path, environment: dict[str, str]):
    folder = tmp_path / "work"
    folder.mkdir()

    def run(command: list[str], stdin: str = "") -> tuple[int, str]:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=300,
        )
        return done.returncode, done.stdout

    for block in RUN[page]:
        if block.language == "python":
            status, output = run(["python", "-W", "error", "-"], block.text)
            assert (status, output) == (0, ""), f"{block.place}: {output}"
            continue
        for line, command, expected in outcome(block):
            status, output = run(["bash", "-c", command])
            place = f"{page.relative_to(CHECKOUT)}:{line}: {command}"
            assert matches(output, expected), f"{place}\nprints\n{output}\nand not\n{expected}"
            assert status == 0 or "error: " in output.lower(), f"{place}\nfails with {status}: {output}"
