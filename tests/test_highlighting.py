"""Editors show the tokens that lark finds: Pygments by one lexer, VS Code and others by one TextMate grammar.

Both are made of one table.  What Pygments does is asked of Pygments; the TextMate grammar is run by the few rules that
its format has, line by line as editors do.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import onnx
import pytest
from example_texts import TEXTS
from hypothesis import given
from laws import examples, print_unchecked
from pygments.token import Comment, Error, Whitespace, string_to_tokentype
from running import run
from strategies import any_models, running_models
from test_docs import ALL, HEAD, whole

import onnxtext
from onnxtext_grammar.formatter import format_text
from onnxtext_grammar.highlighting import REGIONS, RULES, SCOPES, Match
from onnxtext_grammar.lark_parser import lark_parser
from onnxtext_grammar.pygments_lexer import OnnxTextLexer
from onnxtext_grammar.textmate import print_textmate, textmate

VSCODE = Path(onnxtext.__file__).parent / "tools" / "vscode"
WORDS = {t.name for t in lark_parser().terminals if re.fullmatch("[a-z0-9_]{2,}", str(t.pattern.value))}


@dataclass(frozen=True)
class Shown:
    """A token as an editor shows it: where it stands, and a key of SCOPES."""

    start: int
    text: str
    scope: str


# ---- the three ways to find tokens


def tokens_of_lark(text: str) -> list[tuple[int, str, str]]:
    """Return the tokens of a text, each with its place and its terminal."""
    found = lark_parser().parse_interactive(text).exhaust_lexer()
    return [(t.start_pos or 0, str(t), t.type) for t in found]


def shown_by_pygments(text: str) -> list[Shown]:
    scopes = {string_to_tokentype(pygments): scope for scope, (pygments, _, _) in SCOPES.items()}
    found = OnnxTextLexer().get_tokens_unprocessed(text)
    return [Shown(at, token, scopes[kind]) for at, kind, token in found if kind not in (Whitespace, Comment.Single)]


def shown_by_textmate(text: str, grammar: dict = textmate()) -> list[Shown]:  # noqa: B008  # the same each time
    """Return what a TextMate grammar shows, after the rules that editors have for it.

    At each place the end of the innermost open rule is tried together with the patterns inside it; the match that
    begins first wins, at one place the end, then the pattern that stands first.
    """
    scopes = {f"{textmate}.onnxt": scope for scope, (_, textmate, _) in SCOPES.items()}
    compiled: dict[str, re.Pattern[str]] = {}

    def search(pattern: str, line: str, at: int) -> re.Match[str] | None:
        if pattern not in compiled:
            compiled[pattern] = re.compile(pattern)
        return compiled[pattern].search(line, at)

    def flat(patterns: list[dict]) -> Iterator[dict]:
        for rule in patterns:
            if "include" in rule:
                yield from flat(grammar["repository"][rule["include"][1:]]["patterns"])
            else:
                yield rule

    stack: list[dict] = [{"patterns": grammar["patterns"]}]
    shown = []
    start = 0
    for line in text.splitlines(keepends=True):
        at = 0
        while True:
            top = stack[-1]
            best: tuple[re.Match[str], dict | None] | None = None
            rules = [(top["end"], None)] if "end" in top else []
            for pattern, rule in [*rules, *((r.get("match") or r["begin"], r) for r in flat(top["patterns"]))]:
                found = search(pattern, line, at)
                if found and (best is None or found.start() < best[0].start()):
                    best = found, rule
                if best and best[0].start() == at:
                    break
            if best is None:
                break
            found, rule = best
            if rule is None:
                names = {int(group): name for group, name in top["endCaptures"].items()}
                stack.pop()
            elif "match" in rule:
                names = {0: rule}
            else:
                names = {int(group): name for group, name in rule["beginCaptures"].items()}
                stack.append(rule)
            for group, name in names.items():
                if found[group]:
                    shown.append(Shown(start + found.start(group), found[group], scopes[name["name"]]))
            assert found.end() > at or rule is None or found.start() > at, f"no way on: {line!r} at {at}"
            at = found.end()
        start += len(line)
    return [s for s in shown if s.scope != "comment"]


ENGINES = [shown_by_pygments, shown_by_textmate]


def assert_shown(text: str, shown: list[Shown]) -> None:
    """Assert that what is shown are the tokens of lark, each as what it is."""
    found = tokens_of_lark(text)
    for (at, token, terminal), one in zip(found, shown, strict=False):
        place = f"at {at} of\n{text[max(0, at - 60) : at + 60]}"
        assert (one.start, one.text) == (at, token), f"lark has {token!r}, shown is {one}, {place}"
        fit = SCOPES[one.scope][2]
        assert terminal in fit or ("" in fit and terminal in WORDS), f"{terminal} {token!r} is shown as {one}, {place}"
    assert len(found) == len(shown)


# ---- the laws


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_shown_are_the_tokens_of_lark(engine: Callable[[str], list[Shown]]):
    for text in TEXTS:
        assert_shown(text, engine(text))
        assert_shown(format_text(text), engine(format_text(text)))


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_shown_of_the_documentation_are_the_tokens_of_lark(engine: Callable[[str], list[Shown]]):
    seen = 0
    for block in (b for b in ALL if b.language == "onnxt"):
        for part in re.split(r"^// (?:means the same as|is printed as)\n", block.text, flags=re.MULTILINE):
            assert_shown(whole(part), engine(whole(part)))
            seen += 1
    assert seen > 50


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_shown_of_any_model_are_the_tokens_of_lark(engine: Callable[[str], list[Shown]]):
    @examples(30)
    @given(any_models())
    def show(wire: bytes) -> None:
        text = print_unchecked(wire).text
        assert_shown(text, engine(text))

    show()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_shown_of_models_that_run_are_the_tokens_of_lark(engine: Callable[[str], list[Shown]]):
    @examples(20)
    @given(running_models())
    def show(model: onnx.ModelProto) -> None:
        text = onnxtext.encode(model)
        assert_shown(text, engine(text))

    show()


@pytest.mark.parametrize("engine", ENGINES)
def test_statements_alone_are_shown_as_within_a_graph(engine: Callable[[str], list[Shown]]):
    part = (
        '%a: f32[4] = Conv(%x, f32[1,2]) {pads=[1,1]} // why\n-> "map" {map=1, x: f32[1]=[0.5]}\n%b: i64[2] = [0,-1]\n'
    )
    within, alone = engine(HEAD + part + "}\n"), engine(part)
    assert [(s.text, s.scope) for s in within[len(engine(HEAD)) : -1]] == [(s.text, s.scope) for s in alone]


def test_a_word_that_is_shown_wrongly_would_be_found():
    text = TEXTS[0]
    shown = shown_by_pygments(text)
    at = next(k for k, one in enumerate(shown) if one.scope == "operator")
    shown[at] = Shown(shown[at].start, shown[at].text, "keyword")
    with pytest.raises(AssertionError, match="NAME 'Relu' is shown as"):
        assert_shown(text, shown)


def test_behind_a_mistake_the_rest_has_its_colours():
    kinds = [kind for _, kind, _ in OnnxTextLexer().get_tokens_unprocessed("%a = Relu(%x) ! ;\n%b = Neg(%a)\n")]
    assert kinds.count(Error) == 2
    assert kinds[-10:-2].count(string_to_tokentype("Name.Builtin")) == 1


def test_every_region_and_every_list_of_rules_is_used():
    named = {rule for rules in RULES.values() for rule in rules if isinstance(rule, str)}
    assert named == set(REGIONS)
    assert {region.inside for region in REGIONS.values()} | {"statements"} == set(RULES)
    used = {rule.scope for rules in RULES.values() for rule in rules if isinstance(rule, Match)}
    ends = {end.scope for region in REGIONS.values() for end in region.ends} - {""}
    assert used | ends | {region.begin.scope for region in REGIONS.values()} == set(SCOPES)


# ---- where they lie


def test_the_lexer_is_registered_with_pygments():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))["project"]
    module, _, name = project["entry-points"]["pygments.lexers"]["onnxt"].partition(":")
    assert getattr(import_module(module), name) is OnnxTextLexer
    assert {"onnxt", "onnxt-error"} <= set(OnnxTextLexer.aliases)


def test_the_grammar_of_the_vscode_extension_is_up_to_date():
    file = VSCODE / "syntaxes" / "onnxt.tmLanguage.json"
    assert file.read_text("utf-8") == print_textmate(), f"write it anew: onnxtext grammar --format textmate > {file}"


def test_the_vscode_extension_names_files_that_are_there():
    package = json.loads((VSCODE / "package.json").read_text("utf-8"))
    language, grammar = package["contributes"]["languages"][0], package["contributes"]["grammars"][0]
    assert language["id"] == grammar["language"] == "onnxt"
    assert grammar["scopeName"] == textmate()["scopeName"]
    for file in (language["configuration"], grammar["path"], package["main"]):
        assert (VSCODE / file).is_file(), file
    json.loads((VSCODE / language["configuration"]).read_text("utf-8"))


def test_the_command_writes_the_grammars():
    assert run("grammar").out == run("grammar", "--format", "lark").out
    assert json.loads(run("grammar", "--format", "textmate").out) == textmate()
