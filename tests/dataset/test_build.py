"""dataset build: the same bytes from any number of workers and after a kill, and errors as rows."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from running import COMMAND, ENVIRONMENT, a_linear_model, run, write_model

from onnxtext.core.errors import OnnxTextError, UsageError
from onnxtext.dataset import building
from onnxtext.dataset.building import build, shards
from onnxtext.dataset.rows import Recipe
from onnxtext.dataset.sources import Entry, entries

BUILD = ("dataset", "build", "nasbench201", "--sample", 12, "--passes", "strip", "--rows-per-shard", 4)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not path.name.startswith(".")}


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in parquet.read_table(path).to_pylist()]


@pytest.mark.parametrize("workers", [2, pytest.param(4, marks=pytest.mark.acceptance)])  # each takes seconds to start
def test_any_number_of_workers_writes_the_same_bytes(workers: int, tmp_path: Path):
    for number in (1, workers):
        assert run(*BUILD, "-o", tmp_path / str(number), "--workers", number).status == 0
    assert contents(tmp_path / "1") == contents(tmp_path / str(workers))
    assert len(rows(tmp_path / "1")) == 12
    assert all(row["error"] is None and row["text"] and row["flops"] > 0 for row in rows(tmp_path / "1"))


def test_after_kills_nothing_is_lost_or_doubled(tmp_path: Path):
    assert run(*BUILD, "-o", tmp_path / "whole", "--workers", 1).status == 0
    killed = tmp_path / "killed"
    command = [*COMMAND, *map(str, BUILD), "-o", str(killed), "--workers", "1"]
    for wanted in (0, 1, 2):  # shards that are there when it is killed
        process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list(killed.glob("shard-*"))) < wanted:
            time.sleep(0.01)
        process.kill()
        process.wait()
    found = run(*BUILD, "-o", killed, "--workers", 1)
    assert found.status == 0 and found.err.startswith(f"{killed}: 12 rows, ")
    assert contents(killed) == contents(tmp_path / "whole")


def test_parts_make_the_whole(tmp_path: Path):
    run(*BUILD, "-o", tmp_path / "whole", "--workers", 1)
    for part in ("1/2", "2/2"):
        assert run(*BUILD, "-o", tmp_path / "parts", "--workers", 1, "--shard", part).status == 0
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert [shard.name for shard in shards(45, 20, (2, 2))] == ["shard-00001-of-00003.parquet"]


def test_what_cannot_be_read_is_a_row_with_an_error(tmp_path: Path):
    models = tmp_path / "models"
    models.mkdir()
    write_model(models / "good.onnx", a_linear_model())
    (models / "empty.onnx").touch()
    (models / "broken.onnx").write_bytes(b"\xff" * 100)
    table = tmp_path / "table.csv"
    paths = [models / "good.onnx", models / "empty.onnx", models / "broken.onnx", models / "gone.onnx", models]
    table.write_text("path,accuracy\n" + "".join(f"{path},{i}\n" for i, path in enumerate(paths)))
    found = run("dataset", "build", table, "-o", tmp_path / "set", "--workers", 1)
    assert (found.status, found.err) == (1, f"{tmp_path / 'set'}: 5 rows, 4 with an error\n")
    good, *bad = rows(tmp_path / "set")
    assert good["error"] is None and json.loads(good["labels"]) == {"accuracy": "0"}
    assert bad[0]["error"] == f"{models / 'empty.onnx'}: not an ONNX model: it is empty"
    assert all(row["error"].startswith(row["id"]) and row["text"] is None for row in bad)
    found = run("dataset", "build", models, "-o", tmp_path / "folder", "--workers", 1)
    assert [Path(row["id"]).name for row in rows(tmp_path / "folder")] == ["broken.onnx", "empty.onnx", "good.onnx"]


def test_a_long_text_is_reported_and_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("onnxtext.dataset.rows._counter", lambda path: len)
    recipe = Recipe(tokenizer="t", max_tokens=100)
    built = build([Entry("nasbench201:" + "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")], recipe, str(tmp_path))
    assert built.errors == 1
    (row,) = rows(tmp_path)
    assert row["text"] is None and "more than the 100 of --max-tokens" in row["error"] and row["tokens"] > 100


def test_tables_name_networks_by_the_columns_of_their_space(tmp_path: Path):
    table = tmp_path / "table.csv"
    table.write_text("space,specification,accuracy\nnasbench201,|x,1\nnasbench-macro,00000000,2\nnone,x,3\n")
    found = entries([str(table)])
    assert [entry.id for entry in found] == ["nasbench201:|x", "nasbench-macro:00000000", f"{table}:3"]
    assert found[1].labels == {"accuracy": "2"}
    assert found[2].problem == f"{table}:3: no space is named none (did you mean nasnet?)"
    (tmp_path / "list.txt").write_text(f"{table}\nnasbench-macro:11111111\n")
    assert [e.specification for e in entries([str(tmp_path / "list.txt")])] == ["|x", "00000000", "", "11111111"]


def test_another_data_set_is_not_mixed_in(tmp_path: Path):
    one = [Entry("nasbench-macro:00000000")]
    build(one, Recipe(), str(tmp_path))
    with pytest.raises(UsageError, match="holds another data set, with other passes: build into another folder"):
        build(one, Recipe("prune"), str(tmp_path))
    (tmp_path / building.MANIFEST).unlink()
    with pytest.raises(UsageError, match=r"has Parquet files and no manifest\.json: build into another folder"):
        build(one, Recipe(), str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shard", "1"], "--shard takes i/n, as in 1/8, not 1"),
        (["--shard", "3/2"], "--shard takes i/n with i from 1 to n, not 3/2"),
        (["--max-tokens", "9"], "--max-tokens counts by a tokenizer: give --tokenizer FILE"),
        (["--passes", "prun"], "no pass is named prun (did you mean prune?)"),
    ],
)
def test_usage_errors(arguments: list[str], message: str, tmp_path: Path):
    found = run("dataset", "build", "nasbench-macro:00000000", "-o", tmp_path / "set", *arguments)
    assert (found.status, found.out, found.err) == (2, b"", f"error: {message}\n")


def test_a_killed_worker_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(building, "_rows", _die)
    with pytest.raises(OnnxTextError, match="a worker was killed, perhaps for want of memory; shards that are whole"):
        build([Entry("x")], Recipe(), str(tmp_path), workers=2)


def _die(chunk: object, recipe: object) -> None:
    os._exit(1)
