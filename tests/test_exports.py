"""The language in other notations: what reads them reads the same texts, and what they let through is a text."""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path
from typing import Any

import llguidance
import numpy as np
import onnx
import onnxruntime
import pytest
from lark import Lark
from running import run
from test_grammar_engines import ALL, BROKEN, Bytes, broken, resnet

import onnxtext
from onnxtext_grammar.ebnf import print_ebnf
from onnxtext_grammar.exports import FORMATS
from onnxtext_grammar.gbnf import print_gbnf
from onnxtext_grammar.lark_parser import lark_parser
from onnxtext_grammar.literals import KEYWORDS
from onnxtext_grammar.prompt import EXAMPLE, print_prompt


@pytest.mark.parametrize("notation", FORMATS)
def test_the_command_writes_every_notation(notation: str):
    assert run("grammar", "--format", notation).out.decode() == FORMATS[notation]()


def test_llguidance_reads_what_is_written_for_it():
    grammar = llguidance.LLMatcher.grammar_from_lark(run("grammar", "--format", "llguidance").out.decode())
    tokenizer = llguidance.LLTokenizer(llguidance.TokenizerWrapper(Bytes()))
    matcher = llguidance.LLMatcher(tokenizer, grammar, log_level=0)
    assert matcher.try_consume_tokens(list(resnet().encode())) == len(resnet().encode())
    assert matcher.is_accepting()


# ---- GBNF


@cache
def gbnf() -> Any:
    import xgrammar  # imports torch, which takes a while

    info = xgrammar.TokenizerInfo(list(Bytes.tokens), stop_token_ids=256)
    return xgrammar.GrammarCompiler(info, max_threads=1).compile_grammar(xgrammar.Grammar.from_ebnf(print_gbnf()))


def matcher_of_gbnf() -> Any:
    import xgrammar

    return xgrammar.GrammarMatcher(gbnf())


def test_gbnf_lets_all_of_the_language_through():
    for text in [*ALL, resnet()]:
        matcher = matcher_of_gbnf()
        assert matcher.accept_string(text.encode()) and matcher.accept_token(256), text[:200]


@pytest.mark.parametrize("which", BROKEN)
def test_gbnf_stops_a_broken_text_at_its_place(which: int):
    text, at = list(broken())[which]
    matcher, data = matcher_of_gbnf(), text.encode()
    assert matcher.accept_string(data[:at]) and not matcher.accept_token(data[at])


@pytest.mark.parametrize("word", sorted(KEYWORDS - {"_", "repeat", "node", "init", "sparse", "value_info", "info"}))
def test_gbnf_lets_no_word_of_the_language_be_an_operator(word: str):
    matcher = matcher_of_gbnf()
    assert matcher.accept_string(f"onnxt 1\ngraph () -> () {{ %x = {word}".encode())
    assert not matcher.accept_string(b"(") or word in ("base64", "stored")  # which may go on so


def test_what_gbnf_lets_through_is_a_text():
    """Texts are drawn byte by byte; lark has to read each that came to an end."""
    import xgrammar

    drawn = random.Random(1)
    mask = xgrammar.allocate_token_bitmask(1, 257)
    texts = set()
    for _ in range(300):
        matcher, text = matcher_of_gbnf(), b""
        while len(text) < 300:
            matcher.fill_next_token_bitmask(mask)
            allowed = np.flatnonzero(np.unpackbits(mask.numpy().view(np.uint8), bitorder="little")[:257])
            if allowed[-1] == 256 and len(text) > 20 and drawn.random() < 0.5:
                texts.add(text.decode())
                break
            choice = [int(byte) for byte in allowed if byte < 127]
            (byte,) = drawn.choices(choice, [0.1 if b in b"\t\n\r/" else 3 if b in b'}])">' else 1 for b in choice])
            assert matcher.accept_token(byte)
            text += bytes([byte])
    for text in texts:
        lark_parser().parse(text)
    assert len(texts) > 200


# ---- EBNF


def from_ebnf(text: str) -> str:
    """Return a grammar in the EBNF of the XML specification as one in lark's notation."""

    def token(match: re.Match[str]) -> str:
        piece = match[0]
        if piece[0] == "[":
            return "/" + re.sub("#x([0-9A-F]+)", r"\\x0\1", piece.replace("\\", "\\\\")).replace("/", r"\/") + "/"
        if piece[0] in "\"'":
            escaped = piece[1:-1].replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        return ":" if piece == "::=" else ""

    rules = re.sub(r"/\*.*?\*/|\"[^\"]*\"|'[^']*'|\[[^\]]*\]|::=", token, text)
    return rules + "\n%ignore /[ \\t\\r\\n]+/\n%ignore /\\/\\/[^\\n]*/\n"


def test_a_parser_made_from_the_ebnf_reads_the_same_texts():
    parser = Lark(from_ebnf(print_ebnf()), parser="lalr")
    for text in [*ALL, resnet()]:
        assert list(map(str, parser.parse(text).scan_values(bool)))  # raises where it does not


def test_the_ebnf_has_every_rule_and_terminal_of_the_grammar():
    rules = {str(rule.origin.name) for rule in lark_parser().rules if not str(rule.origin.name).startswith("_")}
    patterns = {t.name for t in lark_parser().terminals if t.pattern.type == "re" and t.name[0] != "_"}
    assert set(re.findall(r"^(\w+) ::=", print_ebnf(), re.MULTILINE)) == rules | patterns | {"ABSENT"}


# ---- the prompt


def test_the_example_of_the_prompt_is_a_network_that_runs():
    assert EXAMPLE in print_prompt()
    model = onnxtext.decode(EXAMPLE, fill="random")
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"x": np.ones((2, 3, 32, 32), np.float32)})
    assert np.asarray(scores).shape == (2, 8)


def test_the_prompt_takes_less_than_400_tokens():
    assert len(re.findall(r"\w+|[^\w\s]", print_prompt())) < 400  # each word and each sign


def test_the_prompt_takes_less_than_400_tokens_of_a_tokenizer(tokenizer_file: Path):
    from tokenizers import Tokenizer

    assert len(Tokenizer.from_file(str(tokenizer_file)).encode(print_prompt()).ids) < 400
