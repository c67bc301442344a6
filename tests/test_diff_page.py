"""The page of `diff --html`: complete in itself, and it folds and searches in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
from browser import in_browser, needs_browser
from edits import network, plant
from running import run, write_model

from onnxtext.tools.diff_page import print_page
from onnxtext.tools.differences import Change

CHANGES = [
    Change("inserted", "Relu", "graph", (), ("%r = Relu(%x)",), places=("r", "s")),
    Change("attribute", "alpha of Elu", "graph", ("%e = Elu(%x) {alpha=0.5}",), ("%e = Elu(%x) {alpha=1.0}",)),
    Change("weight", "weight of Conv, operand 1", "@f", ("%w: f32[2] 00",), ("%w: f32[2] ff",), "norm 1", ("w",)),
]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "page.html").write_text(print_page(CHANGES, "a.onnx", "b.onnx"), "utf-8")
    return tmp_path / "page.html"


SEEN = "const seen = () => [...document.querySelectorAll('details')].filter(d => !d.hidden).map(d => d.dataset.is);"
TYPE = "const s = document.getElementById('search'); const type = t => { s.value = t; s.oninput(); };"


@needs_browser
def test_a_page_opens_with_every_change(page: Path):
    open_ones = "return [...document.querySelectorAll('details')].map(d => d.open && d.offsetHeight > 40);"
    assert in_browser(page, open_ones) == [True, True, True]


@needs_browser
def test_a_page_searches(page: Path):
    found = in_browser(page, f"{SEEN}{TYPE} type('conv F32'); const a = seen(); type('nowhere'); return [a, seen()];")
    assert found == [["weight"], []]
    assert in_browser(page, f"{TYPE} type('nowhere'); return document.getElementById('none').hidden;") is False


@needs_browser
def test_a_page_shows_one_kind_on_a_click(page: Path):
    click = "const chip = document.querySelector('[data-kind=attribute]'); chip.click();"
    assert in_browser(page, f"{SEEN}{click} const a = seen(); chip.click(); return [a, seen().length];") == [
        ["attribute"],
        3,
    ]


@needs_browser
def test_a_page_folds(page: Path):
    heights = "const h = () => [...document.querySelectorAll('details')].every(d => d.open);"
    script = (
        f"{heights} const f = document.getElementById('fold'); f.click(); const a = h(); f.click(); return [a, h()];"
    )
    assert in_browser(page, script) == [False, True]


def test_a_page_asks_for_nothing_and_escapes_what_models_say(tmp_path: Path):
    evil = "</script><script>alert(1)</script><img src=http://example.org/>"
    change = Change("inserted", evil, "graph", (), (evil,), evil, (evil, evil))
    page = print_page([change], evil, "b")
    assert evil not in page and "<img" not in page
    ours = print_page(CHANGES, "a", "b")
    assert not re.search(r"https?:|//[a-z]|\bsrc=|\bhref=|@import|url\(", ours)
    assert "default-src 'none'" in ours


def test_the_page_of_a_large_model_is_small(tmp_path: Path):
    random = Random(1)
    old = network(random, 100, blocks=20)
    new = old
    for number in range(60):
        new, _ = plant(new, random, ["attribute", "weight", "inserted"][number % 3])
        for node in new.graph.node:
            for names in (node.input, node.output):
                names[:] = [f"fresh{number}" if name == "fresh" else name for name in names]
    write_model(tmp_path / "a.onnx", old)
    write_model(tmp_path / "b.onnx", new)
    outcome = run("diff", tmp_path / "a.onnx", tmp_path / "b.onnx", "--html", tmp_path / "page.html")
    assert outcome.status == 1, outcome.err
    assert 5_000 < (tmp_path / "page.html").stat().st_size < 2_000_000


def test_a_page_of_two_equal_models_says_so():
    assert '<p id="none">Nothing changed.</p>' in print_page([], "a", "b")
