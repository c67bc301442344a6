"""`fmt` changes how a text is laid out, never what it says, and nothing that it or the printer has laid out."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark
from laws import MODES, at_most, examples, print_unchecked, whole, zeros
from mutations import mutate_text
from running import Outcome, a_linear_model, run
from strategies import any_models, running_models
from test_onnx_models import backend_models

import onnxtext
from onnxtext.core.errors import OnnxTextError, TextError
from onnxtext.core.wire import canonical
from onnxtext.source import WeightsMode
from onnxtext_grammar.codec import parse
from onnxtext_grammar.formatter import _Layout, _tokens_of_lark, format_text
from onnxtext_grammar.lark_parser import lark_parser, parse_with_lark
from onnxtext_grammar.literals import parse_name, parse_string

RANDOMS = st.randoms(use_true_random=False)

HAND_WRITTEN = """// a network by hand
onnxt 1 model { ir_version = 10 ,opset_import=["" :20] } // as of 2024
  graph @"net"( %"x" : f32 [ 1 , "N" ] {doc_string="\\x69n"} )  ->(%y){// the body
%k:i64[ 2 ]=[1 , 2]
// both of them
  %a , _=Split ( %x ,%k){ "axis" = 0 , .name="\\x73plit"  // before the comma
     ,num_outputs=2

     // the last of them
  }  %y="Relu"( %a )   // activation
   // and then
   ->Add(%"k"):f32["N"] -> "my op"
   // no more
} // end

   // of the text"""
LAID_OUT = """// a network by hand
onnxt 1
model {ir_version=10, opset_import=["": 20]} // as of 2024
graph @net (%x: f32[1,N] {doc_string="in"}) -> (%y) { // the body
 %k: i64[2] = [1,2]
 // both of them
 %a, _ = Split(%x, %k) {axis=0, .name="split" // before the comma
   , num_outputs=2
   // the last of them
 }
 %y = Relu(%a) // activation
 // and then
 -> Add(%k): f32[N]
 -> "my op"
 // no more
} // end
// of the text
"""

# Statements as they are written, and on the lines below as they are laid out.
STATEMENTS = r"""
%a=Relu(%x)->Neg:f32[ 4 ]->Abs
 %a = Relu(%x)
 -> Neg: f32[4]
 -> Abs

%a=Op{a=[ 1 ,2],b=[ 1.0,2],c=["p" , #0+ "q"],d:ints=[ ]}
 %a = Op {a=[1,2], b=[1.0,2], c=["p",#0+"q"], d: ints=[]}

%a=Op{m=["k" :"v","l": 2],t:tensors=[tensor f32 [ ]=1,tensor i64[1]{name="n"}=data[ 1]]}
 %a = Op {m=["k": "v", "l": 2], t: tensors=[tensor f32[]=1, tensor i64[1] {name="n"}=data [1]]}

%a:map(text,seq ( f32[ N,? ] ) )=Op(_,%?b)%a:sparse( f32 [*])=Op()
 %a: map(text, seq(f32[N,?])) = Op(_, %?b)
 %a: sparse(f32[*]) = Op()

%a:?=repeat 2 Op(f32[ 2,3 ])
 %a: ? = repeat 2 Op(f32[2,3])

info %a to %b info %c:f32[*]{}
 info %a to %b
 info %c: f32[*] {}

%a:f32[1]{doc_string="d"}=base64 ( "AACAPw==" ) %b:f32[9]=stored("w")%c:f32[9]
 %a: f32[1] {doc_string="d"} = base64("AACAPw==")
 %b: f32[9] = stored("w")
 %c: f32[9]

init{}sparse{}node{}value_info{}
 init {}
 sparse {}
 node {}
 value_info {}

"none"(%a)"a.b"()"a"{"b c"=1,"c"=none}
 "none"(%a)
 "a.b"()
 a {"b c"=1, c=none}

%"%"=@"f-1"(%"a b",%"a:0"){a:int=$"p",b:int=$"p q"}
 %"%" = @f-1(%"a b", %a:0) {a: int=$p, b: int=$"p q"}

%a=Op{s="\x41\xe4\x0A\xc3\xa4"}
 %a = Op {s="A\xe4\nä"}

%a=If{g=graph@t()->(){%b=Op{g=graph()->(){}}}}
 %a = If {g=graph @t () -> () {
  %b = Op {g=graph () -> () {
  }}
 }}

node{attribute=[{g=graph()->(){Op}}]}
 node {attribute=[{g=graph () -> () {
 Op
}}]}
"""


# ---- texts to try it on


def scramble(text: str, random: Random, *, comments: bool = False) -> str:
    """Return the text with other spaces, line breaks and quotes, and with comments."""
    tokens = list(lark_parser().parse_interactive(text).exhaust_lexer())
    named = {  # quotes tell the nodes of these operators apart
        tokens[k + 1].strip('"') for k, token in enumerate(tokens[:-1]) if token.type == "EACH"
    }
    out = [random.choice(["", " ", "\n"])]
    at = 0
    for k, token in enumerate(tokens):
        before, behind = tokens[k - 1] if k else "", tokens[k + 1] if k + 1 < len(tokens) else ""
        has_gap = at != token.start_pos or re.search(r"[\w%@$#.\"/:+-]\Z", "".join(out[-2:])) is not None
        at = token.end_pos
        if k:
            out.append(random.choice([" ", "  ", "\n", "\t", "\r\n  \n"] if has_gap else ["", "", " ", "\n"]))
        if comments and random.random() < 0.1:
            for _ in range(random.choice([1, 1, 2])):
                out += [
                    random.choice([" //", "\n  //", "\n//"]),
                    random.choice(["", " a -> {b}", '\t"é ', " //c \r"]),
                    "\n",
                ]
        out.append(requote(token.type, str(token), before, behind, named, random))
    out.append(random.choice(["", "\n", " \n\n"]))
    return "".join(out)


def requote(kind: str, token: str, before: str, behind: str, named: set[str], random: Random) -> str:
    """Return another spelling of a token that says the same."""
    if random.random() < 0.7:
        return token
    if kind in ("VALUE", "FUNC", "PARAM"):
        sigil = token[: 2 if token[1] == "?" else 1]
        return sigil + quote(parse_name(token, len(sigil)), random)
    if kind == "STRING":
        return quote(parse_string(token), random)
    is_key, is_dimension = behind == "=", before in ("[", ",") and behind in (",", "]")
    is_operator = behind == "(" and "." not in token and token not in named
    if kind == "NAME" and (is_key or is_dimension or is_operator):
        return quote(token.encode(), random)
    return token


def quote(name: bytes, random: Random) -> str:
    characters = [chr(c) if c in b"azN019_/:" and random.random() < 0.8 else f"\\x{c:02X}" for c in name]
    return f'"{"".join(characters)}"'


def comments_of(text: str) -> list[tuple[bool, str]]:
    """Return each comment, and whether it stands on a line of its own, as lark's lexer understands the text."""
    found, at = [], 0
    for token in [*lark_parser().parse_interactive(text).exhaust_lexer(), None]:
        gap = text[at : token.start_pos if token else len(text)]
        for match in re.finditer(r"//[^\n]*", gap):
            line = text[: at + match.start()].rpartition("\n")[2]
            found.append((not line.strip(" \t\r"), match[0].rstrip(" \t\r")))
        at = token.end_pos if token else at
    return found


def read(text: str) -> bytes | None:
    """Return the model of a text, weights made up, or None where it has none."""
    try:
        return whole(parse(text, filler=zeros))
    except OnnxTextError:
        return None


def assert_kept(wire: bytes, name: str = "") -> None:
    """Assert that the printer's text of a model is laid out already."""
    for mode in MODES:
        text = print_unchecked(wire, mode).text
        assert format_text(text) == text, name


# ---- what it does


def test_a_text_by_hand():
    assert format_text(HAND_WRITTEN) == LAID_OUT
    assert format_text(LAID_OUT) == LAID_OUT


@pytest.mark.parametrize("case", STATEMENTS.strip("\n").split("\n\n"), ids=lambda case: case.partition("\n")[0])
def test_statements(case: str):
    written, _, laid_out = case.partition("\n")
    head = 'onnxt 1\n#0 = "p"\ngraph () -> () {\n'
    assert format_text(f"{head}{written}\n}}\n") == f"{head}{laid_out}\n}}\n"


def test_functions_and_inputs():
    text = 'onnxt 1 def@f<a,"b"=1,c:ints=[]>{domain="d"}(%x,_)->(%y){}def{name="g"}'
    text += "graph(%x:f32[1],{},%a to %b)->(%y:?){}"
    laid_out = """onnxt 1
def @f<a, b=1, c: ints=[]> {domain="d"} (%x, _) -> (%y) {
}
def {name="g"}
graph (%x: f32[1], {}, %a to %b) -> (%y: ?) {
}
"""
    assert format_text(text) == laid_out


def test_inputs_stand_on_one_line_up_to_100_characters():
    wide, narrow = (f"%{'x' * 42}: f32[1], %{'y' * n}: f32[2]" for n in (39, 38))
    head, tail = "onnxt 1\ngraph (", ") -> () {\n}\n"
    assert format_text(head + narrow + tail) == head + narrow + tail
    assert format_text(head + wide + tail) == head + "\n  " + wide.replace(", ", ",\n  ") + tail


def test_inputs_with_a_comment_stand_one_a_line():
    text = "onnxt 1\ngraph (%x, // the first\n%y // the second\n) -> (// nothing\n) {\n}\n"
    assert format_text(text) == "onnxt 1\ngraph (\n  %x, // the first\n  %y // the second\n) -> ( // nothing\n) {\n}\n"


def test_an_operator_with_an_each_keeps_its_quotes():
    text = 'onnxt 1\ngraph () -> () {\n each Relu {a=1}\n "Relu"()\n Relu\n}\n'
    assert format_text(text) == text
    assert read(format_text(text)) == read(text)


def test_a_word_of_the_language_that_is_a_name_gets_quotes():
    text = "onnxt1graph()->(){%a:f32[map,_]=data noneOp{_=1,b=model}}"
    laid_out = """onnxt 1
graph () -> () {
 %a: f32["map","_"] = data none
 Op {"_"=1, b=model}
}
"""
    assert format_text(text) == laid_out
    assert format_text(laid_out) == laid_out


# ---- the laws


def test_texts_of_the_models_in_the_onnx_package_stay_as_they_are():
    for file in sorted(Path(onnx.__file__).parent.rglob("*.onnx")):
        assert_kept(canonical(file.read_bytes()), str(file))


@pytest.mark.acceptance
def test_texts_of_the_models_of_the_backend_tests_stay_as_they_are():
    for name, model in backend_models():
        assert_kept(model.SerializeToString(deterministic=True), name)


@examples(100)
@given(running_models())
def test_texts_of_running_models_stay_as_they_are(model: onnx.ModelProto):
    assert_kept(model.SerializeToString(deterministic=True))


@examples(100)
@given(any_models(), st.sampled_from(MODES))
def test_the_text_of_any_model_stays_as_it_is(wire: bytes, mode: WeightsMode):
    text = print_unchecked(wire, mode).text
    assert on_one_line(format_text(text)) == on_one_line(text)


def on_one_line(text: str) -> str:
    """Return the text with all inputs on one line.

    Where long strings stand among inputs, the printer measures these before it knows how it will write the strings.
    """
    return re.sub(r",\n +", ", ", re.sub(r"\(\n +", "(", text))


@examples(100)
@given(any_models(), RANDOMS)
def test_spaces_and_quotes_do_not_matter(wire: bytes, random: Random):
    text = print_unchecked(wire).text
    assert format_text(scramble(text, random)) == format_text(text)


@examples(100)
@given(any_models(), RANDOMS)
def test_comments_stay_where_they_are(wire: bytes, random: Random):
    plain = print_unchecked(wire).text
    text = scramble(plain, random, comments=True)
    laid_out = format_text(text)
    assert comments_of(laid_out) == comments_of(text)
    assert format_text(laid_out) == laid_out
    assert format_text(scramble(laid_out, random)) == format_text(plain)
    assert not re.search(r"[ \t\r]$", laid_out, re.MULTILINE)
    assert read(laid_out) == read(text) == wire
    assert _Layout(strict=False).run(_tokens_of_lark(text)) == laid_out


def assert_laid_out_or_refused(text: str) -> None:
    """Assert that a text is laid out, or that it has the error of the parser made from the grammar."""
    try:
        parse_with_lark(text)
    except TextError as error:
        with pytest.raises(type(error)) as caught:
            format_text(text)
        assert str(caught.value) == str(error)
        return
    laid_out = format_text(text)
    assert format_text(laid_out) == laid_out
    assert comments_of(laid_out) == comments_of(text)
    assert read(laid_out) == read(text)


@examples(100)
@given(any_models(), RANDOMS)
def test_a_damaged_text_is_laid_out_or_refused(wire: bytes, random: Random):
    assert_laid_out_or_refused(mutate_text(print_unchecked(wire).text, random))


@examples(60)
@given(from_lark(lark_parser(), start="item"))
def test_what_hypothesis_writes_with_the_grammar_is_laid_out_or_refused(item: str):
    assert_laid_out_or_refused("onnxt 1\n" + item)


# ---- errors


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("onnxt 1\ngraph (%x: 7) -> () {}", "2:12"),
        ("onnxt 1 graph (%x: f32[1.5]) -> () {}", "1:24"),
        ('onnxt 1 model {a="\\q"}', "1:18"),
        ('onnxt 1 #0 = "a" + #0', "1:20"),
        ("onnxt 2 graph () -> () {}", "1:7"),
        ("onnxt 1 graph () -> () { repeat 1 Relu }", "1:33"),
        ("", "1:1"),
    ],
)
def test_an_error_is_that_of_the_parser(text: str, place: str):
    with pytest.raises(TextError) as caught:
        format_text(text, "m.onnxt")
    with pytest.raises(TextError) as parsing:
        parse(text, "m.onnxt")
    assert str(caught.value) == str(parsing.value)
    assert str(caught.value).startswith(f"m.onnxt:{place}: ")


@pytest.mark.parametrize(
    "text",
    [
        "onnxt 1 model {a=" + "[" * 50_000 + "]" * 50_000 + "}",
        "onnxt 1 model {a=" + "{a=" * 50_000 + "1" + "}" * 50_000 + "}",
        "onnxt 1 " + "graph ({a=" * 20_000 + "1" + "}) -> () {}" * 20_000,
        "onnxt 1 graph () -> () {" + "Op {g=graph () -> () {" * 5_000 + "}}" * 5_000 + "}",
        "onnxt 1 graph (%x: " + "seq(" * 50_000 + ")" * 50_000 + ") -> () {}",
        "onnxt 1" + "// a comment\n" * 50_000,
        "onnxt 1" + " " * 1_000_000,
        'onnxt 1 model {a="' + "\\x41" * 200_000 + '"}',
        "onnxt 1 graph () -> () { Op {a=" + "1" * 200_000 + "} }",
    ],
    ids=lambda text: text[8:24],
)
def test_hostile_texts_take_no_time(text: str):
    with at_most(3):
        laid_out = format_text(text)
    assert len(laid_out) < 4 * len(text)
    assert format_text(laid_out) == laid_out


# ---- the command


UGLY, TIDY = "onnxt 1 graph@g()->(){}// end\n", "onnxt 1\ngraph @g () -> () {\n} // end\n"
DIFF = """--- a.onnxt
+++ a.onnxt
@@ -1 +1,3 @@
-onnxt 1 graph@g()->(){}// end
+onnxt 1
+graph @g () -> () {
+} // end
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the current one, with an ugly text, a tidy one and one with an error."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("a", UGLY), ("b", TIDY), ("c", "onnxt 1 graph")):
        Path(f"{name}.onnxt").write_bytes(text.encode())
    return tmp_path


def texts() -> list[str]:
    return [file.read_bytes().decode(errors="replace") for file in sorted(Path().iterdir())]


def test_fmt_rewrites_files_in_place(here: Path):
    before = Path("b.onnxt").stat()
    Path("a.onnxt").chmod(0o640)
    assert run("fmt", "a.onnxt", "b.onnxt") == Outcome(0, b"", "")
    assert texts() == [TIDY, TIDY, "onnxt 1 graph"]
    assert Path("a.onnxt").stat().st_mode & 0o777 == 0o640
    assert (Path("b.onnxt").stat().st_mtime_ns, Path("b.onnxt").stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_fmt_goes_from_standard_input_to_standard_output(here: Path):
    assert run("fmt", "-", given=UGLY.encode()) == Outcome(0, TIDY.encode(), "")
    assert run("fmt", "-", given=TIDY.encode()) == Outcome(0, TIDY.encode(), "")
    assert run("fmt", "--check", "-", given=UGLY.encode()) == Outcome(1, b"", "<stdin>\n")


def test_fmt_check_names_the_files_that_would_change(here: Path):
    assert run("fmt", "--check", "a.onnxt", "b.onnxt") == Outcome(1, b"", "a.onnxt\n")
    assert run("fmt", "--check", "b.onnxt") == Outcome(0, b"", "")
    assert texts() == [UGLY, TIDY, "onnxt 1 graph"]


def test_fmt_diff_shows_what_would_change(here: Path):
    assert run("fmt", "--diff", "a.onnxt", "b.onnxt") == Outcome(1, DIFF.encode(), "")
    assert run("fmt", "--diff", "--check", "a.onnxt") == Outcome(1, DIFF.encode(), "a.onnxt\n")
    assert run("fmt", "--diff", "b.onnxt") == Outcome(0, b"", "")
    ended = run("fmt", "--diff", "-", given=TIDY[:-1].encode()).out.decode()
    assert ended.splitlines()[-3:] == ["-} // end", "\\ No newline at end of file", "+} // end"]
    assert texts() == [UGLY, TIDY, "onnxt 1 graph"]


def test_fmt_goes_on_behind_a_file_with_an_error(here: Path):
    Path("d.onnxt").write_bytes(b"onnxt 1 // \xff")
    found = run("fmt", "c.onnxt", "nowhere.onnxt", "d.onnxt", "a.onnxt")
    assert (found.status, found.out) == (2, b"")
    errors = [line.partition(": ")[2] for line in found.err.splitlines() if line.startswith("error: ")]
    assert [error.partition(": ")[0] for error in errors] == ["c.onnxt:1:14", "nowhere.onnxt", "d.onnxt:1"]
    assert texts()[0] == TIDY
    assert run("fmt", "--check", "c.onnxt", "a.onnxt").status == 2


def test_fmt_needs_no_weights(here: Path):
    text = onnxtext.save(a_linear_model(), "w.onnxt").text
    Path("w.onnxt.safetensors").unlink()
    Path("w.onnxt").write_text(text.replace("\n ", "\n   // why\n"), "utf-8")
    assert run("fmt", "w.onnxt") == Outcome(0, b"", "")
    assert "\n // why\n" in Path("w.onnxt").read_text("utf-8")


def test_fmt_needs_a_file():
    assert run("fmt").status == 2
