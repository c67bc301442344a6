"""Training: the loss, the model, the ONNX model that is made of it, and a whole recipe in small."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import numpy as np
import pytest

from onnxtext.ranking.recipe import Recipe, Table
from onnxtext.spaces.registry import find_space
from onnxtext_predictor.predictor import Predictor
from onnxtext_predictor.reading import read

torch = pytest.importorskip("torch", reason="torch trains the predictor: make .venv/engines installs it")
pytest.importorskip("transformers", reason="transformers trains the predictor: make .venv/engines installs it")
pytest.importorskip("accelerate", reason="accelerate trains the predictor: make .venv/engines installs it")

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch and transformers, about what is not installed


def test_a_pair_in_order_costs_nothing_and_one_out_of_order_its_distance_and_the_margin():
    from onnxtext_predictor.training import costs

    labels = torch.tensor([2.0, 1.0])
    assert costs("hinge", 0.1)(torch.tensor([1.0, 0.0]), labels) == 0
    assert costs("hinge", 0.1)(torch.tensor([0.0, 1.0]), labels) == pytest.approx(1.1)
    for loss in ("logistic", "listwise"):
        right, wrong = (costs(loss, 0.1)(torch.tensor(s), labels) for s in ([1.0, 0.0], [0.0, 1.0]))
        assert 0 < right < wrong


@pytest.mark.parametrize("header", [0, 3])
def test_the_onnx_model_says_what_the_torch_model_says(header: int):
    import onnxruntime

    from onnxtext_predictor.encoder import EncoderConfig, TextEncoder, pad
    from onnxtext_predictor.export import export

    torch.manual_seed(0)
    model = TextEncoder(EncoderConfig(words=50, header=header, width=32, inner=48)).eval()
    session = onnxruntime.InferenceSession(export(model).SerializeToString(), providers=["CPUExecutionProvider"])
    drawn = random.Random(0)
    for count, longest in ((1, 4), (3, 70), (9, 200)):
        words = pad([[1, *drawn.choices(range(4, 50), k=drawn.randint(1, longest))] for _ in range(count)])
        features = torch.randn(count, header)
        given = {"words": words.numpy(), "header": features.numpy()}
        (found,) = session.run(None, {entry.name: given[entry.name] for entry in session.get_inputs()})
        with torch.no_grad():
            assert found == pytest.approx(model(words, features).numpy(), abs=1e-5)


def test_padding_changes_nothing():
    from onnxtext_predictor.encoder import EncoderConfig, TextEncoder

    torch.manual_seed(0)
    model = TextEncoder(EncoderConfig(words=50, width=32, inner=48)).eval()
    row = torch.randint(4, 50, (1, 12))
    with torch.no_grad():
        assert model(torch.cat([row, torch.zeros(1, 90, dtype=torch.long)], 1)) == pytest.approx(model(row), abs=1e-5)


def test_a_recipe_is_carried_out_goes_on_and_comes_out_the_same(tmp_path: Path):
    from onnxtext.ranking.run import carry_out

    space = find_space("nasbench-macro")
    names = space.sample(40, seed=1)
    with (tmp_path / "t.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["arch", "acc"])
        writer.writerows([name, sum(map(int, name))] for name in names)
    table = Table("nasbench-macro", "t.csv", "acc", count=25, hold_out=15)
    recipe = Recipe(
        train=(table,),
        members=2,
        header=("live_macs",),
        synthetic=20,
        formula={"features": ["live_macs", "rectified"], "bags": 5},
        training={"steps": 3, "networks": 8, "encoder": {"width": 32, "inner": 48, "layers": 1}},
    )
    told: list[str] = []
    log = carry_out(recipe, tmp_path, tmp_path / "a", told.append, workers=1)
    assert len(log["members"]) == 2 and "nasbench-macro acc" in log["ensemble"]
    assert set(log["floors"]) >= {"parameters", "live_flops"}
    (tmp_path / "b" / "members").mkdir(parents=True)
    kept = (tmp_path / "a" / "members" / "0.onnx").read_bytes()
    (tmp_path / "b" / "members" / "0.onnx").write_bytes(kept)
    carry_out(recipe, tmp_path, tmp_path / "b", told.append, workers=1)
    models = [read(space.model(name)) for name in names[:5]]
    one, other = (Predictor.load(str(tmp_path / folder)).member_scores(models) for folder in "ab")
    assert one == pytest.approx(other, abs=1e-5)
    assert not np.allclose(one[0], one[1])
