"""What every test can use: the settings of hypothesis, and files that are not part of the repository.

The fixed samples are the same on every run and machine, so that a failure is one for everybody; `make hunt` looks for
new ones.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No deadline: the machines that run this share their cores.
settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.register_profile(
    "hunt",
    max_examples=5_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # it times the first examples only, and large models are wanted
)
settings.load_profile("fixed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tokenizer", metavar="FILE", help="a tokenizer.json in which to count the lengths of texts")


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """Return the folder of data that is not part of the repository, from ONNXTEXT_SHARED; skip the test without it."""
    folder = os.environ.get("ONNXTEXT_SHARED")
    if not folder:
        pytest.skip("left out without ONNXTEXT_SHARED, a folder of data that is not part of the repository")
    return Path(folder)


@pytest.fixture(scope="session")
def tokenizer_file(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Path:
    """Return the file of the tokenizer that lengths are counted in, from --tokenizer or the shared folder."""
    given = pytestconfig.getoption("--tokenizer")
    return Path(given) if given else request.getfixturevalue("shared_folder") / "tokenizer" / "bpe32k.json"
