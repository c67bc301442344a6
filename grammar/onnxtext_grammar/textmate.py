"""The language as a TextMate grammar, which VS Code, Sublime Text, GitHub and others colour by.

>>> textmate()["scopeName"]
'source.onnxt'
"""

from __future__ import annotations

import json
from typing import Any

from onnxtext_grammar.highlighting import REGIONS, RULES, SCOPES, Match


def textmate() -> dict[str, Any]:
    """Return the grammar."""
    return {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "name": "onnxtext",
        "scopeName": "source.onnxt",
        "fileTypes": ["onnxt"],
        "patterns": [{"include": "#statements"}],
        "repository": {name: {"patterns": [_rule(rule) for rule in rules]} for name, rules in RULES.items()},
    }


def print_textmate() -> str:
    """Return the grammar as JSON, a rule a line or so."""
    return json.dumps(textmate(), indent=1) + "\n"


def _scope(scope: str) -> str:
    return f"{SCOPES[scope][1]}.onnxt"


def _rule(rule: Match | str) -> dict[str, Any]:
    if isinstance(rule, Match):
        return {"match": rule.pattern, "name": _scope(rule.scope)}
    region = REGIONS[rule]
    ends = [(f"({end.pattern})" if end.scope else end.pattern) for end in region.ends]
    captures = [_scope(end.scope) for end in region.ends if end.scope]
    return {
        "begin": region.begin.pattern,
        "beginCaptures": {"0": {"name": _scope(region.begin.scope)}},
        "end": "|".join(ends),
        "endCaptures": {str(number): {"name": name} for number, name in enumerate(captures, 1)},
        "patterns": [{"include": f"#{region.inside}"}],
    }
