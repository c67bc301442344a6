"""Pipelines: what parses, what it prints as, and what every mistake is told."""

from __future__ import annotations

import probes
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxtext import OnnxTextError
from onnxtext.core.plugins import Kind
from onnxtext_passes.base import Pass
from onnxtext_passes.fixpoint import FixPoint
from onnxtext_passes.merge import Merge
from onnxtext_passes.pipeline import Pipeline, kept_by, parse_pipeline
from onnxtext_passes.prune import Prune

OWNERS = {
    "fixpoint": ["onnxtext_passes.fixpoint:FixPoint"],
    "merge": ["onnxtext_passes.merge:Merge"],
    "prune": ["onnxtext_passes.prune:Prune"],
    "probe": ["probes:Probe"],
    "rename": ["probes:Rename"],
    "twice": ["one:A", "another:B"],
    "gone": ["nowhere.at.all:Gone"],
    "hollow": ["probes:Nothing"],
    "strange": ["probes:onnx"],
}


@pytest.fixture(autouse=True)
def known_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the passes be those of `OWNERS`, whatever else is installed."""
    monkeypatch.setattr(Kind, "_owners", lambda self: OWNERS)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("", ""),
        ("  ", ""),
        ("prune", "prune"),
        (" prune ,\n\tmerge ", "prune,merge"),
        ("prune{}", "prune"),
        ("probe{min-nodes=3}", "probe"),
        ("probe{min-nodes=+04}", "probe{min-nodes=4}"),
        ("probe { share = 1e-3 , deep }", "probe{share=0.001,deep=true}"),
        ("probe{deep=true,mode=far,label=a/b.c}", "probe{mode=far,label=a/b.c,deep=true}"),
        ("probe{deep=false,min-nodes=-1}", "probe{min-nodes=-1}"),
        ("fixpoint(prune)", "fixpoint(prune)"),
        ("fixpoint{max=8}(prune,merge),prune", "fixpoint(prune,merge),prune"),
        ("fixpoint{max=2}(fixpoint(probe{deep}),merge)", "fixpoint{max=2}(fixpoint(probe{deep=true}),merge)"),
    ],
)
def test_a_pipeline_prints_as_it_is_read(text: str, printed: str) -> None:
    assert str(parse_pipeline(text)) == printed
    assert parse_pipeline(printed) == parse_pipeline(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prune,marge", "no pass is named marge (did you mean merge?)"),
        ("zzz", "no pass is named zzz"),
        ("Prune", "no pass is named Prune (did you mean prune?)"),
        ("fixpoint(prun)", "no pass is named prun (did you mean prune?)"),
        ("merge{max=3}", "the pass merge has no option max; it has none"),
        (
            "probe{min-node=3}",
            "the pass probe has no option min-node (did you mean min-nodes?); "
            "it has min-nodes, share, mode, label, deep",
        ),
        (
            "probe{min_nodes=3}",
            "the pass probe has no option min_nodes (did you mean min-nodes?); "
            "it has min-nodes, share, mode, label, deep",
        ),
        ("fixpoint{body=3}(prune)", "the pass fixpoint has no option body; it has max"),
        ("probe{min-nodes=three}", "the option min-nodes of probe is a whole number, not three"),
        ("probe{min-nodes=1.5}", "the option min-nodes of probe is a whole number, not 1.5"),
        ("probe{min-nodes}", "the option min-nodes of probe needs a value, as in probe{min-nodes=…}"),
        ("probe{share=half}", "the option share of probe is a number, not half"),
        ("probe{mode=fat}", "the option mode of probe is one of near, far (did you mean far?)"),
        ("probe{deep=yes}", "the option deep of probe is true or false, not yes"),
        ("probe{deep,deep=true}", "the option deep of probe is given twice"),
        ("probe(prune)", "the pass probe takes no passes in parentheses"),
        ("fixpoint", "the pass fixpoint needs passes in parentheses, as in fixpoint(prune)"),
        ("prune,", "in the pipeline, at character 7: expected the name of a pass, not the end"),
        (",prune", "in the pipeline, at character 1: expected the name of a pass, not ,"),
        ("prune merge", 'in the pipeline, at character 7: expected "," or the end, not merge'),
        ("fixpoint()", "in the pipeline, at character 10: expected the name of a pass, not )"),
        ("fixpoint(prune", 'in the pipeline, at character 15: expected "," or ), not the end'),
        ("fixpoint(prune))", 'in the pipeline, at character 16: expected "," or the end, not )'),
        ("probe{", "in the pipeline, at character 7: expected an option, not the end"),
        ("probe{deep", 'in the pipeline, at character 11: expected "," or "}", not the end'),
        ("probe{min-nodes=}", "in the pipeline, at character 17: expected a value, not }"),
        ("probe{deep,}", "in the pipeline, at character 12: expected an option, not }"),
        ("prune;merge", "in the pipeline, at character 6: ';' has no meaning here"),
        ("prune,  größe", "in the pipeline, at character 11: 'ö' has no meaning here"),
        ("fixpoint(" * 60 + "prune" + ")" * 60, "the pipeline is nested deeper than 50"),
        ("twice", "two packages have a pass named twice: another:B and one:A; remove one of them"),
        ("gone", "the pass gone cannot be loaded from nowhere.at.all:Gone: No module named 'nowhere'"),
        (
            "hollow",
            "the pass hollow cannot be loaded from probes:Nothing: module 'probes' has no attribute 'Nothing'",
        ),
        ("strange", "the pass strange is no subclass of onnxtext_passes.base.Pass"),
    ],
)
def test_a_mistake_in_a_pipeline(text: str, message: str) -> None:
    with pytest.raises(OnnxTextError) as caught:
        parse_pipeline(text)
    assert str(caught.value) == message


_LEAVES: st.SearchStrategy[Pass] = st.one_of(
    st.just(Prune()),
    st.just(Merge()),
    st.builds(
        probes.Probe,
        min_nodes=st.integers(),
        share=st.floats(allow_nan=False),
        mode=st.sampled_from(["near", "far"]),
        label=st.from_regex(r"\A[A-Za-z0-9_.:/+-]+\Z") | st.just(""),
        deep=st.booleans(),
    ),
)
_BODIES: st.SearchStrategy[list[Pass]] = st.recursive(
    st.lists(_LEAVES, min_size=1, max_size=3),
    lambda inner: st.lists(
        st.one_of(_LEAVES, st.builds(FixPoint, max=st.integers(1, 99), body=inner.map(tuple))), min_size=1, max_size=3
    ),
    max_leaves=8,
)


@given(body=_BODIES)
def test_every_pipeline_reads_back(body: list[Pass]) -> None:
    pipeline = Pipeline(body=tuple(body))
    assert parse_pipeline(str(pipeline)) == pipeline


@given(text=st.text(alphabet="prunemgfixot{}(),= 0"))
def test_any_text_is_a_pipeline_or_an_error(text: str) -> None:
    try:
        pipeline = parse_pipeline(text)
    except OnnxTextError:
        return
    assert parse_pipeline(str(pipeline)) == pipeline


def test_a_composite_keeps_what_the_least_of_its_passes_keeps() -> None:
    kept = {
        text: kept_by(parse_pipeline(text)) for text in ("", "merge", "fixpoint(merge,prune)", "merge,rename,prune")
    }
    assert kept == {"": "exact", "merge": "exact", "fixpoint(merge,prune)": "equivalent", "merge,rename,prune": "lossy"}
