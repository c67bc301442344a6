"""The shipped predictor, `predict` and `evaluate`."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxtext
from onnxtext.core.errors import UsageError
from onnxtext.ranking.needs import needing
from onnxtext.ranking.recipe import Labelled, load_recipe, refuse_leakage
from onnxtext.ranking.tables import read_rows
from onnxtext.spaces.registry import find_network, find_space
from onnxtext_predictor.predictor import Predictor
from onnxtext_predictor.reading import read

RESNET = Path(onnx.__file__).parent / "backend/test/data/light/light_resnet50.onnx"
SHIPPED = Path(__file__).parents[2] / "predictor/onnxtext_predictor/checkpoints/strict"
ATTENTION = (
    '<ir_version: 10, opset_import: ["": 17]> g (float[1,16,32] x) => (float[1,16,32] z) <float[32,32] q = {}, '
    "float[32,32] k = {}, float[32,32] v = {}, float[32] s = {}> { n = LayerNormalization(x, s) a = MatMul(n, q) "
    "b = MatMul(n, k) t = Transpose<perm=[0,2,1]>(b) p = MatMul(a, t) w = Softmax(p) c = MatMul(n, v) "
    "y = MatMul(w, c) z = Add(x, y) }"
)


@pytest.fixture(scope="module")
def strict() -> Predictor:
    return Predictor.load("strict")


def network(name: str) -> onnx.ModelProto:
    found = find_network(name)
    assert found is not None
    return found


def onnxtext_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "onnxtext.cli", *arguments], capture_output=True, text=True)


def test_a_wider_deeper_network_scores_higher(strict: Predictor):
    small, large = strict.score([network("nasbench-macro:00000000"), network("nasbench-macro:22222222")])
    assert small < large


def test_equal_networks_have_one_score(strict: Predictor):
    model = network("nasbench-macro:01201201")
    text = onnxtext.encode(model, passes="strip,prune,canonicalize,dedup,merge")
    one, other = strict.score([model, onnxtext.decode(text)])
    assert one == pytest.approx(other, abs=1e-6)


def test_a_score_does_not_depend_on_the_company(strict: Predictor):
    models = [network(f"synthetic:{k}") for k in range(8)]
    together = strict.score(models)
    assert together == pytest.approx([strict.score([model])[0] for model in models], abs=1e-4)


def test_accuracy_in_the_metadata_does_not_change_the_score(strict: Predictor):
    model = network("nasbench-macro:01201201")
    before = strict.score([model])
    model.metadata_props.add(key="accuracy", value="99.99")
    model.graph.doc_string = "accuracy 99.99"
    assert strict.score([model]) == before


def test_a_network_like_those_of_training_has_no_warning(strict: Predictor):
    (prediction,) = strict.predict([network(f"nasbench101:{find_space('nasbench101').sample(1, 5)[0]}")])
    assert prediction.warnings == [] and prediction.uncertainty >= 0 and 0 < prediction.percentile < 100


def test_what_training_never_saw_is_named(strict: Predictor):
    (attention,) = strict.predict([onnx.parser.parse_model(ATTENTION)])
    assert any("LayerNormalization" in warning and "Softmax" in warning for warning in attention.warnings)
    (resnet,) = strict.predict([onnx.load(RESNET)])
    assert any(warning == "operators that training never saw: Softmax, Sum" for warning in resnet.warnings)
    assert any("more multiplications" in warning or "parameters" in warning for warning in resnet.warnings) or (
        strict.description.most["live_macs"] >= read(onnx.load(RESNET)).features["live_macs"]
    )


def test_a_network_without_a_way_through_is_last(strict: Predictor):
    (dead,) = strict.predict([network("nasbench201:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")])
    assert dead.percentile == 0 and dead.warnings == ["nothing leads from an input to an output"]


def test_the_description_tells_of_the_training(strict: Predictor):
    log = strict.description.training
    assert log["recipe"]["train"][0]["count"] == 5000
    assert {table["space"] for table in log["recipe"]["select"]} == {
        "nasbench-macro",
        "transnas-micro",
        "transnas-macro",
    }
    assert log["recipe"]["training"] == load_recipe(str(SHIPPED.parents[1] / "recipes/strict.toml")).training


def test_no_accuracy_of_the_examination_is_in_the_recipe():
    assert "nasbench201" not in (SHIPPED.parents[1] / "recipes/strict.toml").read_text()


def test_what_is_not_installed_is_named():
    told = r"train needs torch: pip install 'onnxtext\[predictor\]'"
    with pytest.raises(UsageError, match=told), needing("train", "predictor"):
        raise ImportError("no", name="torch")


# ---- the commands


def test_predict_orders_what_it_can_and_tells_of_the_rest(tmp_path: Path):
    done = onnxtext_command("predict", "nasbench-macro:00000000", "nasbench-macro:22222222", "nowhere.onnx", "--json")
    rows = json.loads(done.stdout)
    assert [row["model"] for row in rows] == ["nasbench-macro:22222222", "nasbench-macro:00000000", "nowhere.onnx"]
    assert "no such file" in rows[2]["error"] and done.returncode == 1


def test_predict_writes_a_file(tmp_path: Path):
    done = onnxtext_command("predict", "nasbench-macro:00000000", "-o", str(tmp_path / "scores.txt"))
    assert done.returncode == 0 and "nasbench-macro:00000000" in (tmp_path / "scores.txt").read_text()


def test_predict_loads_no_torch():
    program = (
        "import sys, onnxtext.cli as c\n"
        "try: c.app(['predict', 'nasbench-macro:00000000'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'scipy'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


def test_predict_knows_no_other_checkpoint():
    done = onnxtext_command("predict", "--checkpoint", "strikt", "nasbench-macro:00000000")
    assert done.returncode == 2 and "did you mean strict?" in done.stderr


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["arch", "acc", "half"])
        for digits in range(12):
            name = np.base_repr(digits * 500, 3).zfill(8)
            writer.writerow([name, sum(map(int, name)) + digits / 100, "a" if digits % 2 else "b"])
    return path


def test_evaluate_stands_beside_the_floors(table: Path):
    done = onnxtext_command(
        "evaluate", "--space", "nasbench-macro", "--labels", str(table), "--label", "acc", "--json",
        "--checkpoint", "strict",
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["n"] == 12 and found["spearman"] > 0.5 and -1 <= found["kendall"] <= 1
    assert set(found["floors"]) == {"parameters", "flops", "live_parameters", "live_flops", "depth"}
    assert len(found["members"]) == len(Predictor.load("strict").description.centre)


def test_evaluate_takes_rows_by_a_column(table: Path):
    arguments = ["evaluate", "--space", "nasbench-macro", "--labels", str(table), "--label", "acc", "--json"]
    assert json.loads(onnxtext_command(*arguments, "--where", "half=a").stdout)["n"] == 6
    assert "half" in onnxtext_command(*arguments, "--where", "haf=a").stderr


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["arch,acc", "00000000,"], "line 2 has no acc; --skip-unlabelled leaves such rows out"),
        (["arch,acc", "00000000,high"], "line 2: acc is high, and no number"),
        (["arch,ac", "00000000,1"], "no column is named acc"),
        (["arch,acc"], "no row that is meant has a acc"),
        (["name,acc", "00000000,1"], "a row that names an architecture of nasbench-macro has specification, or arch"),
    ],
)
def test_a_table_with_a_fault_is_refused(lines: list[str], message: str):
    with pytest.raises(UsageError, match=message):
        read_rows(lines, find_space("nasbench-macro"), "acc")


def test_a_network_is_trained_on_or_examined():
    reading = read(network("nasbench-macro:00000000"))
    with pytest.raises(UsageError, match="1 networks of b are also in a, which is trained on"):
        refuse_leakage([Labelled("a", [reading], [1.0])], [Labelled("b", [reading], [1.0])])


def test_a_recipe_with_a_fault_is_refused(tmp_path: Path):
    path = tmp_path / "r.toml"
    for text, message in (
        ("member = 3", "did you mean members"),
        ("members = 3", r"at least one table to \[\[train\]\] on"),
        ("members = ", "not a recipe"),
        ('[[train]]\nspace = "x"\nfil = "y"', "did you mean file"),
        ('[[train]]\nspace = "x"', "not a recipe"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            load_recipe(str(path))
