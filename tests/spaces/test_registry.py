"""Spaces by name, with options; samples; rows of tables; networks by SPACE:SPECIFICATION on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from running import a_linear_model, run, write_model

from onnxtext.core.errors import UsageError
from onnxtext.spaces.nasbench201 import NasBench201
from onnxtext.spaces.registry import find_network, find_space, space_names
from onnxtext_passes.manager import run_pipeline

NAMES = space_names()
SKIPS = "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"


@pytest.mark.parametrize("name", NAMES)
def test_every_space_makes_what_checks_and_is_the_same_every_time(name: str):
    space = find_space(name)
    model = space.model(space.example)
    onnx.checker.check_model(model, full_check=True)
    assert find_space(name).model(space.example) == model
    assert model.graph.name == name and model.graph.input[0].name == "image"


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_different_and_the_same_for_a_seed(name: str):
    space = find_space(name)
    found = space.sample(20, 1)
    assert len(set(found)) == 20 and find_space(name).sample(20, 1) == found != space.sample(20, 2)
    for specification in found[:3]:
        onnx.checker.check_model(space.model(specification), full_check=True)


@pytest.mark.parametrize("text", ["nasbench201", "nasbench201{cells=1,none=published}", "nasbench201{weights=random}"])
def test_a_space_prints_as_it_is_written(text: str):
    assert str(find_space(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nasbench210", "no space is named nasbench210 (did you mean nasbench201?)"),
        ("nasbench201{", "nasbench201{: a space is written NAME or NAME{OPTION=VALUE,…}"),
        (
            "nasbench201{cell=1}",
            "the space nasbench201 has no option cell (did you mean cells?); it has weights, seed, cells, channels, "
            "classes, image, none",
        ),
        ("nasbench201{cells=x}", "the option cells of nasbench201 is a whole number, not x"),
        ("nasbench201{cells}", "the option cells of nasbench201 needs a value, as in nasbench201{cells=…}"),
        ("nasbench201{cells=1,cells=2}", "the option cells of nasbench201 is given twice"),
        (
            "nasbench201{none=zero}",
            "the option none of nasbench201 is one of zeros, published (did you mean zeros?)",
        ),
        ("nasbench201{cells=0}", "a network has at least one of its cells, not 0"),
    ],
)
def test_what_is_no_space(text: str, message: str):
    with pytest.raises(UsageError) as caught:
        find_space(text)
    assert str(caught.value) == message


def test_a_sample_of_more_than_there_are_is_refused():
    with pytest.raises(UsageError) as caught:
        NasBench201().sample(20_000)
    assert str(caught.value) == "nasbench201 has 15,625 architectures: no sample has 20,000 different ones"


def test_rows_of_tables_name_architectures():
    space = NasBench201()
    assert space.from_row({"arch_str": SKIPS}) == space.from_row({"specification": SKIPS, "x": ""}) == SKIPS
    with pytest.raises(UsageError) as caught:
        space.from_row({"arch": SKIPS, "arch_str": ""})
    assert str(caught.value) == (
        "a row that names an architecture of nasbench201 has specification, or arch_str; there is no arch_str"
    )


def test_weights_as_types_are_what_strip_leaves_of_weights_with_data():
    plain, filled = (find_space(f"nasbench201{{cells=1,weights={w}}}").model(SKIPS) for w in ("types", "random"))
    assert not plain.graph.initializer and len(filled.graph.initializer) > 20
    assert find_network(f"nasbench201{{cells=1}}:{SKIPS}") == plain
    short = "strip,prune,canonicalize,dedup,merge"  # strip first: prune would make one of scales that are all ones
    assert run_pipeline(plain, short).model == run_pipeline(filled, short).model


# ---- the command line


def test_encode_reads_a_network_by_its_specification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    found = run("encode", f"nasbench201{{cells=1}}:{SKIPS}", "--passes", "strip,merge")
    assert found.status == 0 and found.err == ""
    assert found.out.startswith(b"onnxt 1\n") and b"f32[16,3,3,3]" in found.out and b"[1,10]" in found.out
    wrong = run("encode", "nasbench201:|none~0|")
    assert (wrong.status, wrong.err) == (
        2,
        "error: |none~0|: an architecture is written |op~0|+|op~0|op~1|+|op~0|op~1|op~2|\n",
    )
    nowhere = run("encode", "nasbench:|none~0|")
    assert (nowhere.status, nowhere.err) == (2, "error: nasbench:|none~0|: cannot read it: there is no such file\n")


def test_a_file_with_such_a_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "nasbench201:x", a_linear_model())
    found = run("stats", "nasbench201:x", "--json")
    assert found.status == 0 and json.loads(found.out)["nodes"] == len(a_linear_model().graph.node)


def test_spaces_are_listed_shown_and_sampled():
    found = run("spaces")
    assert found.status == 0 and [line.split()[0] for line in found.out.decode().splitlines()] == NAMES
    assert b"15,625 architectures" in found.out
    shown = run("spaces", "nasbench201").out.decode()
    assert "nasbench201: NAS-Bench-201, 15,625 architectures" in shown and "none: zeros|published = zeros" in shown
    listed = json.loads(run("spaces", "--json").out)
    assert [one["name"] for one in listed] == NAMES
    assert json.loads(run("spaces", "nasbench201", "--json").out) == listed[NAMES.index("nasbench201")]
    sampled = run("spaces", "nasbench201", "--sample", 3, "--seed", 7).out.decode().splitlines()
    assert sampled == NasBench201().sample(3, 7)
    assert json.loads(run("spaces", "nasbench201", "--sample", 3, "--seed", 7, "--json").out) == sampled


def test_a_sample_needs_a_space():
    found = run("spaces", "--sample", 3)
    assert (found.status, found.err) == (
        2,
        "error: a sample is of one space: name it, as in `onnxtext spaces nasbench201 --sample 3`\n",
    )
