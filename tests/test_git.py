"""git reads models as text: in real repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from running import ENVIRONMENT, run, run_apart, write_model

import onnxtext
from onnxtext.core.errors import UsageError
from onnxtext.tools.git import ATTRIBUTE, install


def a_network(pads: int = 1, rows: int = 8) -> onnx.ModelProto:
    """Return a convolution and what comes behind it, and a matrix of `rows` times 1 KB."""
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"], pads=[pads] * 4),
        *(helper.make_node("Relu", ["c" if not k else f"r{k - 1}"], [f"r{k}"]) for k in range(10)),
        helper.make_node("MatMul", ["r9", "w"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "k"),
        numpy_helper.from_array(np.arange(rows * 256, dtype=np.float32).reshape(rows, 256), "w"),
    ]
    ports = [helper.make_tensor_value_info(name, 1, None) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], weights)
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty repository, in which the test works, away from the settings of the machine."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Reader")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "reader@example.org")
    (tmp_path / "home").mkdir()
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git("init", "--quiet", "--initial-branch=main")
    return folder


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def commit(message: str) -> None:
    git("add", "-A")
    git("commit", "--quiet", "-m", message)


def changed_lines(diff: str) -> list[str]:
    return [line for line in diff.splitlines() if line[:1] in ("+", "-") and line[:3] not in ("+++", "---")]


def test_git_shows_a_changed_attribute_as_one_line(repository: Path):
    install_here()
    write_model(repository / "m.onnx", a_network())
    commit("a model")
    write_model(repository / "m.onnx", a_network(pads=2))
    expected = ["- %c = Conv(%x, %k) {pads=[1,1,1,1]}", "+ %c = Conv(%x, %k) {pads=[2,2,2,2]}"]
    shown = changed_lines(git("diff"))
    assert shown == changed_lines(git("diff")) == expected
    commit("more pads")
    for command in (["show"], ["log", "-p", "-1"], ["diff", "HEAD~"]):
        assert changed_lines(git(*command)) == shown
    assert "refs/notes/textconv/onnx" in git("for-each-ref"), "nothing is kept"


def test_git_names_the_weights_that_changed(repository: Path):
    install_here()
    model = a_network()
    write_model(repository / "m.onnx", model)
    commit("a model")
    model.graph.initializer[1].raw_data = bytes(8 * 1024)
    write_model(repository / "m.onnx", model)
    shown = changed_lines(git("diff"))
    assert [line[:3] for line in shown] == ["-we", "+we", "-//", "+//"]  # the digest of all, and that of one
    assert shown[2].endswith(" w") and shown[3].endswith(" w")


def install_here(*options: str) -> str:
    outcome = run_apart("git-install", *options, env=dict(os.environ))
    assert outcome.status == 0, outcome.err
    return outcome.out.decode()


def test_installing_twice_is_installing_once(repository: Path):
    attributes = repository / ".git" / "info" / "attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text("*.png binary")
    first = install_here()
    config = (repository / ".git" / "config").read_text()
    assert install_here() == first
    assert (repository / ".git" / "config").read_text() == config
    assert attributes.read_text() == f"*.png binary\n{ATTRIBUTE}\n"


def test_a_global_installation_serves_every_repository(repository: Path):
    install_here("--global")
    write_model(repository / "m.onnx", a_network())
    git("add", "-A")
    assert "MatMul" in git("diff", "--cached")
    assert (repository.parent / "home/.config/git/attributes").read_text() == f"{ATTRIBUTE}\n"


def test_a_file_that_is_no_model_does_not_stop_git(repository: Path):
    install_here()
    (repository / "m.onnx").write_bytes(b"\xff\xff")
    commit("no model")
    write_model(repository / "m.onnx", a_network())
    assert "-// no model that onnxtext can read: this file: " in git("diff")


def test_the_difftool_compares_by_structure(repository: Path):
    install_here()
    write_model(repository / "m.onnx", a_network())
    commit("a model")
    write_model(repository / "m.onnx", a_network(pads=2))
    done = subprocess.run(["git", "difftool", "--no-prompt", "-t", "onnxtext"], capture_output=True, encoding="utf-8")
    assert "@@ graph: pads of Conv @@" in done.stdout, done.stderr


def test_a_merge_of_two_edits_of_a_text_decodes(repository: Path):
    text = repository / "m.onnxt"
    text.write_text(onnxtext.encode(a_network()))
    commit("a text")
    git("checkout", "--quiet", "-b", "other")
    text.write_text(text.read_text().replace("pads=[1,1,1,1]", "pads=[2,2,2,2]"))
    commit("more pads")
    git("checkout", "--quiet", "main")
    text.write_text(text.read_text().replace("MatMul", "Gemm"))
    commit("another operator")
    git("merge", "--quiet", "--no-edit", "other")
    merged = onnxtext.decode(text.read_text())
    expected = a_network(pads=2)
    expected.graph.node[-1].op_type = "Gemm"
    assert merged == expected


def test_outside_a_repository_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    outcome = run("git-install")
    assert (outcome.status, outcome.err) == (
        2,
        "error: this folder is in no git repository: go into one, or use --global\n",
    )


def test_without_git_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"^there is no git here to set up: install it first$"):
        install("python3", everywhere=True)


def test_what_git_says_is_handed_on(repository: Path, monkeypatch: pytest.MonkeyPatch):
    (repository.parent / "home" / ".gitconfig").write_text("[broken")
    with pytest.raises(UsageError, match=r"^git config failed: fatal: bad config line 2 in file "):
        install("python3", everywhere=True)


@pytest.mark.acceptance
def test_a_model_of_100_megabytes_is_one_changed_line(repository: Path):
    install_here()
    write_model(repository / "m.onnx", a_network(rows=100_000))
    commit("a model")
    write_model(repository / "m.onnx", a_network(pads=2, rows=100_000))
    commit("more pads")
    assert len(changed_lines(git("diff", "HEAD~", "HEAD"))) == 2
