"""The bag of a row, straight to wire bytes: for numbers, strings and pairs of strings, which nearly all nodes have.

What else may stand in a bag is left to the parser proper, and so are faults.  A property test holds the two equal.

>>> bags = Bags(Texts(0))
>>> read = bags.read('{axis=1, .name="n"}')
>>> read.attributes, read.name, bags.read("{then_branch=graph () -> () {}}")
(b'*\\x0b\\n\\x04axis\\x18\\x01\\xa0\\x01\\x02', b'n', None)
"""

from __future__ import annotations

import re
from typing import NamedTuple

from onnxtext.core.wire import ATTRIBUTE, NODE, Heads, varint
from onnxtext_grammar.interning import Texts
from onnxtext_grammar.literals import parse_float, parse_string

NO_NAME = -1  # the bag says nothing of the node's name

_STRING = r'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"'
_TEXT = rf"(?:(#[0-9]++)(?:\+({_STRING}))?+|({_STRING}))"
_WHOLE = r"[+-]?[0-9]{1,18}+(?![0-9])"  # what surely fits into 64 bits
_EXPONENT = r"[eE][+-]?[0-9]++"
_FLOAT = rf"[+-]?[0-9]++(?:\.[0-9]++(?:{_EXPONENT})?+|{_EXPONENT})"  # without either it is an int
_ATTRIBUTE = re.compile(
    r"([A-Za-z_][A-Za-z0-9_]*+(?:\.[A-Za-z0-9_]++)*+)="
    rf"(?:({_WHOLE})(?=[,}}])|\[({_WHOLE}(?:,{_WHOLE})*+)\]|({_FLOAT})|{_TEXT})(?:, |\}}\Z)"
).match
_NAME = re.compile(rf"\.name=(?:none|{_TEXT})(?:, |\}}\Z)").match
_PAIR = re.compile(rf"{_TEXT}: {_TEXT}(?:, |(\])(?:, |\}}\Z))").match
_PAIRS = ".metadata_props=["
_CACHED = 10_000  # attributes that are kept, for the case that they are met again

_KEY = Heads(b"\x0a")  # of an attribute and of a pair
_VALUE = Heads(b"\x12")  # of a pair
_TYPE = {n: b"\xa0\x01" + bytes([n]) for n in (1, 2, 3, 7)}
_INT, _INTS, _FLOAT_TAG = (ATTRIBUTE.by_name[name].tag for name in ("i", "ints", "f"))
_BYTES = Heads(ATTRIBUTE.by_name["s"].tag)
_ATTRIBUTE_HEAD = Heads(NODE.by_name["attribute"].tag)
_PAIR_HEAD = Heads(NODE.by_name["metadata_props"].tag)


class Read(NamedTuple):
    """What a bag says, as fields of a NodeProto."""

    attributes: bytes
    pairs: bytes  # its metadata_props
    name: bytes | int | None  # None: it has none; NO_NAME: the bag does not say


class Bags:
    """The bags of one text, whose interned strings are `texts`."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        self.attributes: dict[str, bytes] = {}
        self.keys: dict[str, bytes] = {}

    def read(self, bag: str) -> Read | None:
        """Return what `bag` says, or None where it takes the parser proper to know."""
        left_bytes = self.texts.left_bytes
        try:
            found = self._read(bag)
        except (ValueError, KeyError):
            found = None
        if found is None:
            self.texts.left_bytes = left_bytes
        return found

    def _read(self, bag: str) -> Read | None:
        attributes: list[bytes] = []
        pairs: list[bytes] = []
        name: bytes | int | None = NO_NAME
        at, end = 1, len(bag)
        while at < end:
            if bag[at] != ".":
                match = _ATTRIBUTE(bag, at)
                if match is None:
                    return None
                found = self.attributes.get(match[0])
                attributes.append(self._attribute(match) if found is None else found)
                at = match.end()
            elif name == NO_NAME and (match := _NAME(bag, at)):
                name = None if match[1] is match[3] else self._string(match[1], match[2], match[3])
                at = match.end()
            elif not pairs and bag.startswith(_PAIRS, at):
                at = self._pairs(bag, at + len(_PAIRS), pairs)
                if not at:
                    return None
            else:
                return None
        return Read(b"".join(attributes), b"".join(pairs), name)

    def _attribute(self, match: re.Match[str]) -> bytes:
        key, whole, wholes, floating, text, rest, string = match.groups()
        parts = [_KEY[len(key)], key.encode()]
        if whole is not None:
            parts += (_INT, varint(int(whole)), _TYPE[2])
        elif wholes is not None:
            for number in wholes.split(","):
                parts += (_INTS, varint(int(number)))
            parts.append(_TYPE[7])
        elif floating is not None:
            parts += (_FLOAT_TAG, parse_float(floating), _TYPE[1])
        else:
            value = self._string(text, rest, string)
            parts += (_BYTES[len(value)], value, _TYPE[3])
        wire = b"".join(parts)
        wire = _ATTRIBUTE_HEAD[len(wire)] + wire
        if len(self.attributes) < _CACHED:
            self.attributes[match[0]] = wire
        return wire

    def _pairs(self, bag: str, at: int, out: list[bytes]) -> int:
        """Append the pairs that stand from `at` on, and return where they end; 0 where one is not understood."""
        keys = self.keys
        while match := _PAIR(bag, at):
            key_text, key_rest, key_string, text, rest, string, last = match.groups()
            if key_text is None and key_string in keys:
                key = keys[key_string]
            else:
                key = self._string(key_text, key_rest, key_string)
                key = _KEY[len(key)] + key
                if key_text is None:
                    keys[key_string] = key
            value = parse_string(string) if text is None else self._string(text, rest, string)
            inner = key + _VALUE[len(value)] + value
            out.append(_PAIR_HEAD[len(inner)] + inner)
            at = match.end()
            if last is not None:
                return at
        return 0

    def _string(self, text: str | None, rest: str | None, string: str | None) -> bytes:
        if string is not None:
            return parse_string(string)
        assert text is not None
        return self.texts.expand(text) if rest is None else self.texts.expand(text) + parse_string(rest)
