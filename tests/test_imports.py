"""The arrows between the packages point down, and `import onnxtext` stays light.

    predictor -> passes -> grammar -> onnxtext.core

Above them stands the roof, the rest of `onnxtext`: it imports the packages inside the functions that need them.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
FOLDERS = {  # package -> the folder it lies in
    "onnxtext": CHECKOUT,
    "onnxtext_grammar": CHECKOUT / "grammar",
    "onnxtext_passes": CHECKOUT / "passes",
    "onnxtext_predictor": CHECKOUT / "predictor",
}
LAYERS = ["onnxtext.core", "onnxtext_grammar", "onnxtext_passes", "onnxtext_predictor"]  # from the ground up
ROOF = len(LAYERS)


@dataclass(frozen=True)
class Import:
    """One imported module: at which line, and whether importing the file is enough to import it."""

    module: str
    line: int
    at_import: bool


def layer(module: str) -> int | None:
    """Return the layer that a module belongs to, None for one that is not ours."""
    for index, name in enumerate(LAYERS):
        if module == name or module.startswith(name + "."):
            return index
    return ROOF if module.split(".")[0] in FOLDERS else None


def imports(tree: ast.Module, package: str) -> Iterator[Import]:
    """Yield every import of a file in `package`: in functions, under TYPE_CHECKING and by import_module("name") too."""

    def visit(node: ast.AST, at_import: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, at_import)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:  # `from onnxtext import core` imports onnxtext.core, not the roof
                named = f"{base}.{alias.name}"
                yield Import(named if named in LAYERS else base, node.lineno, at_import)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func).split(".")[-1]
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield Import(node.args[0].value, node.lineno, at_import)
        inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        if isinstance(node, ast.If) and ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING":
            inside = True  # never runs
        for child in ast.iter_child_nodes(node):
            yield from visit(child, at_import and not inside)

    return visit(tree, at_import=True)


def faults(source: str, module: str, package: str) -> list[str]:
    """Return what is wrong with the imports of the file of `module`, which lies in `package`."""
    here = layer(module)
    assert here is not None, module
    found = []
    for item in imports(ast.parse(source), package):
        there = layer(item.module)
        if there is None or there == here:
            continue
        if there > here:
            found.append(f"{module}, line {item.line}: {item.module} stands above it")
        elif here == ROOF and item.at_import and there > 0:
            found.append(f"{module}, line {item.line}: {item.module} belongs into the function that needs it")
    return found


def modules() -> Iterator[tuple[str, str, Path]]:
    """Yield each module of the four packages, the package it lies in, and its file."""
    for package, folder in FOLDERS.items():
        for file in sorted((folder / package).rglob("*.py")):
            parts = file.relative_to(folder).with_suffix("").parts
            above = parts[:-1]
            yield ".".join(above if parts[-1] == "__init__" else parts), ".".join(above), file


def test_all_arrows_point_down():
    seen = list(modules())
    assert {module.split(".")[0] for module, _, _ in seen} == set(FOLDERS)
    found = [fault for module, package, file in seen for fault in faults(file.read_text("utf-8"), module, package)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("onnxtext.core.wire", "import onnxtext_grammar", "line 1: onnxtext_grammar stands above it"),
        (
            "onnxtext.core.wire",
            "def f():\n  import onnxtext_grammar.lexer",
            "line 2: onnxtext_grammar.lexer stands above",
        ),
        ("onnxtext.core.wire", "from .. import cli", "line 1: onnxtext stands above it"),
        ("onnxtext_grammar.printer", "import onnxtext", "line 1: onnxtext stands above it"),
        ("onnxtext_grammar.printer", "from onnxtext.cli import main", "line 1: onnxtext.cli stands above it"),
        (
            "onnxtext_grammar.printer",
            "if TYPE_CHECKING:\n  import onnxtext_passes",
            "line 2: onnxtext_passes stands above",
        ),
        (
            "onnxtext_passes.prune",
            "class A:\n  def f(self): import onnxtext_predictor",
            "line 2: onnxtext_predictor stands",
        ),
        ("onnxtext_passes.prune", 'importlib.import_module("onnxtext.api")', "line 1: onnxtext.api stands above it"),
        ("onnxtext.api", "import onnxtext_grammar", "onnxtext_grammar belongs into the function that needs it"),
        (
            "onnxtext.api",
            "try:\n  from onnxtext_passes import x\nexcept ImportError: pass",
            "line 2: onnxtext_passes bel",
        ),
        (
            "onnxtext.tools.diff",
            "import onnxtext_predictor.model",
            "onnxtext_predictor.model belongs into the function",
        ),
    ],
)
def test_an_arrow_that_points_up_is_found(module: str, source: str, fault: str):
    (found,) = faults(source, module, module.rpartition(".")[0])
    assert found.startswith(f"{module}, line ")
    assert fault in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("onnxtext.core.wire", "import onnx\nfrom onnxtext.core.errors import ModelError\nfrom . import files"),
        ("onnxtext_grammar.printer", "from onnxtext import core\nfrom onnxtext.core import wire\nimport lark"),
        ("onnxtext_passes.prune", "import onnxtext_grammar, onnxtext.core.wire, onnxtext_passes.manager"),
        ("onnxtext_predictor.train", "import onnxtext_passes, onnxtext_grammar, torch"),
        ("onnxtext.api", "from onnxtext.core import wire\nfrom . import cli\nimport onnxtext"),
        ("onnxtext.api", "def f():\n  import onnxtext_passes\n  from onnxtext_grammar import printer"),
        ("onnxtext.api", "if typing.TYPE_CHECKING:\n  import onnxtext_passes"),
    ],
)
def test_an_arrow_that_points_down_is_none(module: str, source: str):
    assert faults(source, module, module.rpartition(".")[0]) == []


HEAVY = ("lark", "networkx", "onnx_graphsurgeon", "onnxtext_passes", "onnxtext_predictor", "torch", "transformers")


def loaded(code: str) -> set[str]:
    """Return which of HEAVY a new interpreter has loaded once it has run `code`."""
    path = [str(folder) for folder in FOLDERS.values()]
    report = f"print('loaded:', *(name for name in {HEAVY!r} if name in sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{code}\n{report}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.splitlines()[-1].removeprefix("loaded:").split())


def test_import_onnxtext_loads_nothing_heavy():
    assert loaded("import onnxtext") == set()


def test_help_loads_nothing_heavy():
    assert (
        loaded(
            "import onnxtext.cli; sys.argv = ['onnxtext', '--help']\ntry: onnxtext.cli.main()\nexcept SystemExit: pass"
        )
        == set()
    )


def test_a_heavy_import_is_found():
    assert loaded("import onnxtext, lark, onnxtext_passes") == {"lark", "onnxtext_passes"}
