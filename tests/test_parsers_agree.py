"""The fast parser and the one made from the grammar read the same language: law 6.

What the fast one reads the other reads alike, to the byte; what it does not read it leaves to the other.  Text written
by hand with other spacing, comments and quoting says the same.
"""

from __future__ import annotations

import re
from random import Random

import pytest
from example_texts import TEXTS
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark
from lark import Lark
from laws import (
    MODES,
    assert_parsers_agree,
    at_most,
    decode_or_error,
    examples,
    opener,
    print_unchecked,
    read_fast,
    whole,
    zeros,
)
from mutations import mutate_text
from strategies import any_model, running_model

from onnxtext.core.errors import TextError
from onnxtext_grammar.assembler import Miss
from onnxtext_grammar.codec import parse, parse_slowly
from onnxtext_grammar.lark_parser import grammar_text, lark_parser
from onnxtext_grammar.literals import parse_name, parse_string
from onnxtext_grammar.printer import Printed

RANDOMS = st.randoms(use_true_random=False)
FULL = examples(20_000)


def printed_model(random: Random) -> Printed:
    """Return the text of a model, with its data or without."""
    wire = any_model(random) if random.randrange(2) else running_model(random).SerializeToString(deterministic=True)
    return print_unchecked(wire, random.choice(MODES))


def some_text(random: Random) -> str:
    """Return a text that is short and uses much of the language, or that of a model."""
    return random.choice(TEXTS) if random.randrange(4) else printed_model(random).text


def test_both_parsers_read_the_examples() -> None:
    for text in TEXTS:
        assert assert_parsers_agree(text) is not None
        read_fast(text, filler=zeros)


@examples(300)
@given(RANDOMS)
def test_both_parsers_read_what_the_printer_writes(random: Random) -> None:
    printed = printed_model(random)
    assert assert_parsers_agree(printed.text, opener(printed)) is not None


@examples(800)
@given(RANDOMS)
def test_both_parsers_read_mutated_texts_alike(random: Random) -> None:
    with at_most():
        assert_parsers_agree(mutate_text(some_text(random), random))


@pytest.mark.acceptance
@FULL
@given(RANDOMS)
def test_both_parsers_read_20_000_mutated_texts_alike(random: Random) -> None:
    with at_most():
        assert_parsers_agree(mutate_text(some_text(random), random))


def test_both_parsers_read_mutations_of_a_fixed_list_alike() -> None:
    random = Random(0)
    accepted = 0
    for _ in range(3_000):
        accepted += assert_parsers_agree(mutate_text(random.choice(TEXTS), random)) is not None
    assert accepted > 300  # otherwise the damages are too great to show anything


# ---- programs of the grammar

PROGRAMS = from_lark(Lark(grammar_text()), alphabet=st.characters(codec="utf-8"))


@examples(300)
@given(PROGRAMS)
def test_both_parsers_read_programs_of_the_grammar_alike(text: str) -> None:
    assert_parsers_agree(text)
    decode_or_error(text)


@pytest.mark.acceptance
@FULL
@given(PROGRAMS)
def test_both_parsers_read_20_000_programs_of_the_grammar_alike(text: str) -> None:
    assert_parsers_agree(text)
    decode_or_error(text)


# ---- other spacing, comments and quoting


def by_hand(text: str, random: Random) -> str:
    """Return `text` with other white space, comments between tokens, names in quotes and characters as escapes."""
    pieces = []
    for token in lark_parser().lex(text):
        word = str(token)
        if token.type in ("VALUE", "FUNC", "PARAM") and '"' not in word and random.randrange(3) == 0:
            skip = 2 if word[1] == "?" else 1
            word = word[:skip] + quoted(parse_name(word, skip), random)
        elif token.type == "STRING" and random.randrange(3) == 0:
            word = quoted(parse_string(word), random)
        pieces.append(word)
        pieces.append(random.choice([" ", "\n", "\t\r\n", ' // a comment: } " %x\n', "  //\n //\n "]))
    return random.choice(["", "// first\n", " \n"]) + "".join(pieces)


def quoted(value: bytes, random: Random) -> str:
    """Return a string literal in which any byte may be an escape."""
    try:
        characters = list(value.decode())
    except UnicodeDecodeError:
        characters = []
    plain = [c if c.isprintable() and c not in '"\\' and random.randrange(4) else None for c in characters]
    parts = [p or "".join(f"\\x{b:02X}" for b in c.encode()) for p, c in zip(plain, characters, strict=True)]
    return '"' + ("".join(parts) if characters else "".join(f"\\x{b:02x}" for b in value)) + '"'


@examples(200)
@given(RANDOMS)
def test_spacing_comments_and_quoting_say_nothing(random: Random) -> None:
    printed = printed_model(random) if random.randrange(4) == 0 else Printed(random.choice(TEXTS))
    weights, fill = opener(printed), zeros if printed.sidecar is None else None
    want = whole(parse(printed.text, open_weights=weights, filler=fill))
    other = by_hand(printed.text, random)
    assert whole(parse_slowly(other, open_weights=weights, filler=fill)) == want
    assert assert_parsers_agree(other, weights) == want


def test_words_may_stand_in_quotes() -> None:
    plain = """onnxt 1
    graph @g (%x: f32[N]) -> (%y: f32[N]) {
      each Relu {alpha=1.0}
      %a = Relu(%x)
      %y = Add(%a, %b) {axis=1, t: f32[1]=[1]}
      %b = Relu(%y)
    }""".replace("%b)", "%?b)")
    words = {"Relu", "Add", "axis", "N", "alpha", "t"}
    quotes = re.sub(rf"(?<![%@\w])({'|'.join(words)})(?=[\s(=:\]])", r'"\1"', plain)
    assert quotes.count('"') == 2 * 9
    assert whole(parse(quotes)) == whole(parse(plain))


# ---- single texts that only the fast parser read, or at which it failed


GRAPH = "onnxt 1\ngraph @g (%x) -> () {\n BODY\n}\n"

REFUSED = {
    "a_domain_has_no_two_dots": "%y = a..b(%x)",
    "a_domain_has_no_dot_at_its_end": "%y = a.(%x)",
    "a_name_has_no_two_dashes": "%a--b = A(%x)",
    "a_name_has_no_dash_in_front": "%-a = A(%x)",
    "a_name_has_no_dash_at_its_end": "%a- = A(%x)",
    "a_name_has_no_colon_at_its_end": "%a: = A(%x)",
    "a_name_has_a_number_behind_its_colon": "%a:b = A(%x)",
    "a_name_that_is_not_defined_is_a_name": "%y = A(%?x y)",
    "a_name_that_is_not_defined_has_letters": "%y = A(%?)",
    "operands_have_commas": "%y = A(%x %x)",
    "operands_have_one_comma": "%y = A(%x,, %x)",
    "an_escape_in_a_bag_is_known": '%y = A(%x) {s="\\q"}',
    "an_escape_in_a_bag_is_whole": '%y = A(%x) {s="\\x0"}',
    "a_type_is_known": "%y: foo[1] = A(%x)",
    "a_type_of_a_weight_is_known": "%y = A(foo[1])",
    "a_type_has_dimensions": "%y: f32[1,,2] = A(%x)",
    "a_bag_ends": "%y = A(%x) {a=1 // }",
    "a_weight_has_dimensions": "%y = A(f32[*])",
    "a_weight_has_whole_dimensions": "%y = A(f32[1.5])",
    "a_subgraph_says_each_time_what_it_sees": (
        "%y = A(%x) {g=graph () -> (%?q) {}}\n %q = B(%x)\n %z = A(%x) {g=graph () -> (%?q) {}}"
    ),
    "a_weight_has_a_type_and_dimensions": "%y = A(f32[;])",
    "a_repeat_has_a_count": "%y = repeat A(%x)",
    "a_repeat_has_no_huge_count": "%y = repeat 99999999999999999999 A(%x)",
    "lists_of_lists_are_no_attributes": "%y = A(%x) {a=[[1],[2]]}",
    "a_string_is_text": '%y = A(%x) {s="\ud800"}',
    "an_escape_holds_fields": '%y = A(%x) {.opaque="\\xff"}',
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_refused(body: str) -> None:
    text = GRAPH.replace("BODY", body)
    assert assert_parsers_agree(text) is None
    with pytest.raises(TextError):
        parse(text)


READ = {
    "an_element_type_may_be_negative": "%y: t-1[2] = A(%x)",
    "a_weight_may_have_a_negative_element_type": "%y = A(t-1[2])",
    "a_name_may_end_in_a_number_behind_a_colon": "%a:0: f32[1] = A(%x) {a=1}",
    "a_domain_may_have_dots": "%y = a.b.c(%x, _, %?q-r.s/t:1)",
    "a_subgraph_may_stand_on_one_line": "%y = A(%x) {g=graph () -> (%x) {}}",
    "a_string_may_have_a_hundred_pieces": "%y = A(%x) {s=" + "+".join(['"ab"'] * 100) + "}",
}


@pytest.mark.parametrize("body", READ.values(), ids=READ)
def test_read_by_both(body: str) -> None:
    text = GRAPH.replace("BODY", body)
    assert assert_parsers_agree(text) is not None
    read_fast(text)


def test_the_fast_parser_leaves_what_is_wrong_to_the_other() -> None:
    """The fast parser's tree has no places, so it must not be the one that says what is wrong."""
    with pytest.raises(TextError) as caught:
        parse(GRAPH.replace("BODY", "%y = A(%q)"))
    assert (caught.value.line, caught.value.column) == (3, 9)
    with pytest.raises(Miss):
        read_fast(GRAPH.replace("BODY", "%y = A(%q)"))
