"""One grammar file for four engines: lark parses with it, llguidance and xgrammar constrain a language model with it,
hypothesis writes texts with it.

The two that constrain work on what a model of language emits, so they are fed texts token by token; a token here is a
byte, the hardest case: at no byte may an engine see an end that is none.  Both take a word of the language where an
operator may stand, which lark does not, so they let through a little more than is a text.  What the printer writes they
have to let through whole.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import llguidance
import onnx.backend.test
import pytest
from example_texts import TEXTS
from hypothesis import given
from hypothesis.extra.lark import from_lark
from lark import Lark
from lark import logger as lark_logger
from laws import assert_parsers_agree, examples

import onnxtext
from onnxtext_grammar.lark_parser import grammar_text, lark_parser

RESNET = Path(onnx.backend.test.__path__[0]) / "data/light/light_resnet50.onnx"


@cache
def resnet() -> str:
    """Return the text of a real network, its weights elided: 49 kB, 176 nodes."""
    return onnxtext.encode(RESNET, weights="elide")


ALL = [
    *TEXTS,
    """onnxt 1
def @c<w, c> (%x) -> (%y) {
 %y = Relu(%x)
 -> Conv(f32[$w])
 -> BatchNormalization(f32[$c], f32[$c], f32[$c], f32[$c])
}
graph (%x: f32[1,3,8,8]) -> (%y: f32[1,3,8,8]) {
 %y = repeat 5 @c(%x) {w=[3,3,1,1], c=[3]}
 -> repeat 2 Add(f32[], f32[1,3,1,1]) {}
}
""",
]


def broken() -> Iterator[tuple[str, int]]:
    """Yield texts that are none, each with the offset of the first byte that cannot be right."""
    for good, bad, offset in (
        ("onnxt 1", "onnxt one", 6),
        ("{ir_version=3", "{ir_version==3", 12),
        ("graph @resnet50 (", "graph @resnet50 [", 16),
        ("f32[1,3,224,224]", "f32[1,3,224,224}", 15),
        (") -> (%gpu_0/softmax_1", ") -> -> (%gpu_0/softmax_1", 5),
        ("{pads=[0,0,0,0]", "{pads=[0,,0,0]", 9),
    ):
        assert good in resnet()
        yield resnet().replace(good, bad, 1), resnet().index(good) + offset


BROKEN = range(6)


# ---- lark


def conflicts(grammar: str) -> str:
    """Return what lark's LALR generator has to say about a grammar: conflicts it resolved, rules nobody uses."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    level = lark_logger.level
    lark_logger.addHandler(handler)
    lark_logger.setLevel(logging.DEBUG)
    try:
        Lark(grammar, parser="lalr", debug=True, maybe_placeholders=True)
    finally:
        lark_logger.removeHandler(handler)
        lark_logger.setLevel(level)
    return "\n".join(said)


def test_the_grammar_is_lalr_without_conflicts_and_without_unused_rules():
    assert conflicts(grammar_text()) == ""


def test_a_conflict_or_an_unused_rule_would_be_found():
    assert "Shift/Reduce conflict" in conflicts('start: start "+" start | "x"')
    assert "Unused" in conflicts('start: "x"\nother: "y"')


def test_the_grammar_keeps_to_what_all_engines_read():
    rules = re.sub(r"^//.*\n", "", grammar_text(), flags=re.MULTILINE)
    patterns = re.findall(r"^_?[A-Z]+: /(.*)/$|^%ignore /(.*)/$", rules, re.MULTILINE)
    for pattern in (a or b for a, b in patterns):
        assert not re.search(r"\\[a-mo-qsu-zA-Z0-9]", pattern), f"an escape other than \\n, \\r and \\t: {pattern}"
        assert not re.search(r"\(\?|[*+?}][?+]", re.sub(r"\\.", "", pattern)), f"look-around, lazy: {pattern}"
    assert len(patterns) > 10
    outside = re.sub(r"/.*/$", "", rules, flags=re.MULTILINE)
    assert not re.search(r"%(declare|extend|override|import)", outside)
    assert not re.search(r"^[?!]?\w+(\{|\.-?\d)", outside, re.MULTILINE), "a template or a priority"
    assert outside.count("NUMBER:") == outside.count("STRING:") == 1


def test_the_texts_that_the_engines_are_fed_use_every_rule_of_the_grammar():
    used = {str(tree.data) for text in [*ALL, resnet()] for tree in lark_parser().parse(text).iter_subtrees()}
    named = {str(r.alias or r.origin.name) for r in lark_parser().rules if r.alias or not r.options.expand1}
    assert {name for name in named if name[0] != "_"} - used == set()


@pytest.mark.parametrize("which", BROKEN)
def test_lark_refuses_a_broken_text_at_its_place(which: int):
    text, at = list(broken())[which]
    with pytest.raises(onnxtext.OnnxTextError) as caught:
        onnxtext.decode(text, fill="zeros")
    assert caught.value.at == at  # type: ignore[attr-defined]  # it is a SyntaxProblem


# ---- llguidance


class Bytes:
    """A tokenizer whose tokens are the bytes, as llguidance wants it."""

    eos_token_id = 256
    bos_token_id = None
    tokens: Sequence[bytes] = [*(bytes([i]) for i in range(256)), b"<end>"]
    special_token_ids: Sequence[int] = [256]

    def __call__(self, text: str | bytes) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


@cache
def guidance() -> Callable[[], llguidance.LLMatcher]:
    tokenizer = llguidance.LLTokenizer(llguidance.TokenizerWrapper(Bytes()))
    grammar = llguidance.LLMatcher.grammar_from_lark(grammar_text())
    assert llguidance.LLMatcher.validate_grammar_with_warnings(grammar, tokenizer) == (False, [])
    return lambda: llguidance.LLMatcher(tokenizer, grammar, log_level=0)


def test_llguidance_lets_a_real_network_through():
    matcher = guidance()()
    for at, byte in enumerate(resnet().encode()):
        assert matcher.consume_token(byte), f"{resnet()[max(0, at - 60) : at + 1]!r}: {matcher.get_error()[:200]}"
    assert matcher.is_accepting()


def test_llguidance_lets_all_of_the_language_through():
    for text in ALL:
        matcher, data = guidance()(), text.encode()
        accepted = matcher.try_consume_tokens(list(data))
        assert accepted == len(data) and matcher.is_accepting(), data[max(0, accepted - 60) : accepted + 1]


@pytest.mark.parametrize("which", BROKEN)
def test_llguidance_stops_a_broken_text_at_its_place(which: int):
    text, at = list(broken())[which]
    assert guidance()().try_consume_tokens(list(text.encode())) == at


# ---- xgrammar


@cache
def xgrammar_matcher() -> Callable:
    import xgrammar  # imports torch, which takes a while

    info = xgrammar.TokenizerInfo(list(Bytes.tokens), stop_token_ids=256)
    grammar = xgrammar.Grammar.from_lark(grammar_text())
    compiled = xgrammar.GrammarCompiler(info, max_threads=1).compile_grammar(grammar)
    return lambda: xgrammar.GrammarMatcher(compiled)


def test_xgrammar_lets_a_real_network_through():
    matcher = xgrammar_matcher()()
    for at, byte in enumerate(resnet().encode()):
        assert matcher.accept_token(byte), repr(resnet()[max(0, at - 60) : at + 1])
    assert matcher.accept_token(256) and matcher.is_terminated()


def test_xgrammar_lets_all_of_the_language_through():
    for text in ALL:
        matcher = xgrammar_matcher()()
        assert matcher.accept_string(text.encode()) and matcher.accept_token(256), text


@pytest.mark.parametrize("which", BROKEN)
def test_xgrammar_stops_a_broken_text_at_its_place(which: int):
    text, at = list(broken())[which]
    matcher, data = xgrammar_matcher()(), text.encode()
    assert matcher.accept_string(data[:at]) and not matcher.accept_token(data[at])


# ---- hypothesis


def test_what_hypothesis_writes_with_the_grammar_is_a_model_or_an_error_with_a_place():
    """Most of what it writes names things that are not there; some is a model."""
    models: set[bytes] = set()

    @examples(60)
    @given(from_lark(lark_parser(), start="item"))
    def read(item: str) -> None:
        model = assert_parsers_agree("onnxt 1\n" + item)
        if model:
            models.add(model)

    read()
    assert models
