"""Passes and commands of other packages, which pip has installed: used by name, refused where two own a name."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import onnx
import pytest
from running import ENVIRONMENT, FOLDERS

MODULE = '''
from dataclasses import dataclass

from onnxtext_passes.base import Context, Pass


@dataclass(frozen=True)
class Shout(Pass):
    """Write the name of the graph in capitals.

    Example: net becomes NET
    """

    name = "shout"
    keeps = "lossy"

    ending: str = ""

    def run(self, model, context: Context) -> int:
        loud = model.graph.name.upper() + self.ending
        changed = model.graph.name != loud
        model.graph.name = loud
        return int(changed)


def hello(name: str, loud: bool = False) -> None:
    """Greet somebody."""
    print(name.upper() if loud else name)
'''


COMMANDS = "[onnxtext.commands]\nhello = loud_passes:hello\n"


def build(folder: Path, package: str, passes: dict[str, str]) -> Path:
    """Write a wheel of one module, with entry points, and return its path."""
    info = f"{package}-1.0.dist-info"
    files = {
        f"{package}.py": MODULE,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[onnxtext.passes]\n"
        + "".join(f"{k} = {v}\n" for k, v in passes.items())
        + (COMMANDS if package == "loud_passes" else ""),
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    path = folder / f"{package}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which pip has installed three packages with passes."""
    folder = tmp_path_factory.mktemp("plugins")
    wheels = [
        build(folder, "loud_passes", {"shout": "loud_passes:Shout", "cry": "loud_passes:Shout"}),
        build(folder, "louder_passes", {"cry": "louder_passes:Shout", "prune": "louder_passes:Shout"}),
        build(folder, "broken_passes", {"broken": "broken_passes:Missing"}),
    ]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    command += ["--disable-pip-version-check", "--target", str(folder / "site"), *map(str, wheels)]
    subprocess.run(command, check=True, timeout=120)
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> net (float[2] x) => (float[2] y) { y = Relu(x) }'
    )
    onnx.save(model, folder / "net.onnx")
    return folder


def run(installed: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the command line where the packages are installed; return status, output and errors."""
    path = ":".join([str(installed / "site"), *FOLDERS])
    done = subprocess.run(
        [sys.executable, "-m", "onnxtext.cli", *arguments],
        env={**ENVIRONMENT, "PYTHONPATH": path},
        cwd=installed,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_pass_of_another_package_runs_by_its_name(installed: Path) -> None:
    status, out, err = run(installed, "encode", "net.onnx", "--passes", "shout{ending=1},merge")
    assert (status, err) == (0, "")
    assert "graph @NET1 " in out


def test_a_pass_of_another_package_is_listed_and_described(installed: Path) -> None:
    status, out, err = run(installed, "passes", "shout")
    assert (status, err) == (0, "")
    assert "lossy" in out and "ending" in out and "Write the name of the graph in capitals." in out


@pytest.mark.parametrize(
    ("passes", "message"),
    [
        (
            "cry",
            "error: two packages have a pass named cry: loud_passes:Shout and louder_passes:Shout; "
            "remove one of them\n",
        ),
        (
            "prune",
            "error: two packages have a pass named prune: louder_passes:Shout and onnxtext_passes.prune:Prune; "
            "remove one of them\n",
        ),
        (
            "broken",
            "error: the pass broken cannot be loaded from broken_passes:Missing: "
            "module 'broken_passes' has no attribute 'Missing'\n",
        ),
        ("shoot", "error: no pass is named shoot (did you mean shout?)\n"),
    ],
)
def test_a_name_with_two_owners_or_none(installed: Path, passes: str, message: str) -> None:
    assert run(installed, "encode", "net.onnx", "--passes", passes) == (2, "", message)


def test_a_command_of_another_package_runs_and_is_listed(installed: Path) -> None:
    assert run(installed, "hello", "world", "--loud") == (0, "WORLD\n", "")
    status, out, _ = run(installed, "--help")
    assert status == 0 and "hello" in out and "Greet somebody." in out
