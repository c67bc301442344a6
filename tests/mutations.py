"""Small damages to texts and to the bytes of models, drawn from a `random.Random`.

>>> mutate_text("onnxt 1", Random(2)) != "onnxt 1"
True
"""

from __future__ import annotations

import re
from random import Random

from onnxtext_grammar.literals import KEYWORDS

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|[%@$#.]?\??[A-Za-z0-9_./:-]+|->|\s+|.', re.DOTALL)
_CHARACTERS = '%@$#."\\{}[]()<>,:=+-_*?/ \n\t0123456789abcfnxtNE\0\x7f\xa0é\u2028\ud800'
_WORDS = r"""
-> to {} [] () {a=1} [1,2] f32[2] i64[] f32[*] t-1[2] sparse(f32[]) seq() "x" "\n" "\q" "\x0" " %x %?x %"x" %"" %? %
@f @"f" $a #0 #1 .name 1 -1 1.0 1e5 1e999 +inf -nan +nan:7f800001 +nan:0 99999999999999999999 0x1 . ints ints=[]
base64("AAAA") base64("A") stored("w") stored none opaque="\x08" _= each{value="r#"} each{name="n#"} each{type="same"}
each{domain=""} each{tensor=""}
"""
_PIECES = [
    *sorted(KEYWORDS),
    *_WORDS.split(),
    *(": ints", "graph () -> () {}", "type f32[]", "// x\n", "//", "\n", " ", "\r\n", "\ufeff", "data [1]", "data 1"),
    *("repeat 5", "each {}", "each Relu {a=1}", "info %x: f32[1]", "value_info {}", "init {}", "node {}", "sparse {}"),
    *("def @f () -> () {}", "model {}", "_ ="),
]


def mutate_text(text: str, random: Random) -> str:
    """Return `text` with one to four damages: characters, tokens or lines lost, doubled, exchanged or made up."""
    for _ in range(random.choice([1, 1, 1, 1, 2, 4])):
        how = random.randrange(4)
        if how == 0:
            text = _mutate_characters(text, random)
        elif how == 3:
            text = "\n".join(_mutate_list(text.split("\n"), random, ["", "}", "{", *_PIECES]))
        else:
            text = "".join(_mutate_list(_TOKEN.findall(text), random, _PIECES))
    return text


def _mutate_characters(text: str, random: Random) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(["", random.choice(_CHARACTERS)]) + text[at + random.choice([0, 1, 1, 2]) :]


def _mutate_list(items: list[str], random: Random, made_up: list[str]) -> list[str]:
    items = items or [""]
    i, j = random.randrange(len(items)), random.randrange(len(items))
    how = random.randrange(6)
    if how == 0:
        del items[i]
    elif how == 1:
        items[i], items[j] = items[j], items[i]
    elif how == 2:
        items[i] = items[j]
    elif how == 3:
        items.insert(i, items[j])
    elif how == 4:
        items[i] = random.choice(made_up)
    else:
        items.insert(i, random.choice(made_up))
    return items


_BYTES = [0, 1, 2, 8, 0x0A, 0x12, 0x1A, 0x22, 0x2A, 0x3A, 0x42, 0x4A, 0x7F, 0x80, 0xFF]


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """Return `data` with one to four damages: bits turned, bytes lost, doubled, exchanged, made up, or its end cut."""
    out = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 1, 2, 4])):
        at = random.randrange(len(out) + 1)
        size = random.choice([1, 1, 2, 4, 8, 40])
        how = random.randrange(7)
        if how == 0 and at < len(out):
            out[at] ^= 1 << random.randrange(8)
        elif how == 1 and at < len(out):
            out[at] = random.choice(_BYTES)
        elif how == 2:
            del out[at : at + size]
        elif how == 3:
            out[at:at] = out[at : at + size]
        elif how == 4:
            other = random.randrange(len(out) + 1)
            out[at : at + size] = out[other : other + size]
        elif how == 5:
            out[at:at] = bytes(random.choice(_BYTES) for _ in range(size % 5))
        elif not random.randrange(4):
            del out[at:]
    return bytes(out)
