"""Findings as SARIF, which code hosts and editors show beside a file.

>>> log = as_sarif([("m.onnx", [Finding("OXT011", "graph, %h", "no output depends on Neg")])])
>>> log["runs"][0]["results"][0]["ruleId"], log["runs"][0]["tool"]["driver"]["name"]
('OXT011', 'onnxtext')

Source: SARIF 2.1.0, OASIS Standard (2020), sections 3.14 to 3.27.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from onnxtext import __version__
from onnxtext.tools.checking import RULES, Finding


def as_sarif(checked: Iterable[tuple[str, list[Finding]]]) -> dict[str, Any]:
    """Return a log of one run over files with their findings."""
    codes = list(RULES)
    rules = [
        {
            "id": code,
            "name": rule.title,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.explanation.replace("\n", " ")},
            "defaultConfiguration": {"level": rule.level},
        }
        for code, rule in RULES.items()
    ]
    results = [
        {
            "ruleId": finding.code,
            "ruleIndex": codes.index(finding.code),
            "level": finding.level,
            "message": {"text": f"{finding.place}: {finding.message}"},
            "locations": [
                {
                    "physicalLocation": {"artifactLocation": {"uri": file.replace("\\", "/")}},
                    "logicalLocations": [{"fullyQualifiedName": finding.place}],
                }
            ],
        }
        for file, findings in checked
        for finding in findings
    ]
    driver = {"name": "onnxtext", "version": __version__, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
