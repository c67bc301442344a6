"""Networks that a language model writes: a small one, made here, whose weights are random."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest

from onnxtext.tools.networks import GRAMMAR, HEAD, Network, NetworkError, NextScores, check_network, write_texts
from onnxtext_grammar.lark_parser import lark_parser

END = 256
TOKENS = [*(bytes([b]) for b in range(END)), b"<end>"]


def small_model(seed: int) -> NextScores:
    """Return a transformer with one layer, not trained.  It remembers what it was shown before."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=len(TOKENS), n_embd=16, n_layer=1, n_head=2, n_positions=2048, bos_token_id=END, eos_token_id=END
    )
    model = GPT2LMHeadModel(config).eval()
    memory = None

    def next_scores(so_far: np.ndarray) -> np.ndarray:
        nonlocal memory
        with torch.no_grad():
            shown = torch.from_numpy(so_far if memory is None else so_far[:, -1:])
            out = model(shown, cache=memory, use_cache=True)
        memory = out.cache
        return out.logits[:, -1].numpy()

    return next_scores


def assert_runs(network: Network) -> None:
    """Assert that what is returned passes the checker and runs, without believing that it was tried."""
    assert network.model is not None
    onnx.checker.check_model(network.model, full_check=True)
    session = onnxruntime.InferenceSession(network.model.SerializeToString(), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"x": np.ones((1, 8, 16, 16), np.float32)})
    dims = network.model.graph.output[0].type.tensor_type.shape.dim
    assert list(output.shape) == [d.dim_value for d in dims]  # type: ignore[union-attr]  # a tensor


def write_and_check(count: int, seed: int) -> tuple[int, Counter[str]]:
    """Return how many texts gave a model that runs, and why the others did not, by the first line of the reason."""
    texts = write_texts(small_model(seed), TOKENS, END, count, seed=seed)
    runs, reasons = 0, Counter[str]()
    for text in texts:
        lark_parser().parse(text)  # raises where it is no text of the language
        network = check_network(text)
        if network.model is None:
            assert network.reason, text
            reasons[network.reason.partition("\n")[0]] += 1
        else:
            assert_runs(network)
            runs += 1
    return runs, reasons


def test_every_text_parses_and_every_model_that_is_returned_runs():
    runs, reasons = write_and_check(60, seed=0)
    assert runs + reasons.total() == 60
    assert runs > 30, reasons


@pytest.mark.acceptance
def test_of_ten_thousand_texts_every_one_parses_and_every_model_that_is_returned_runs():
    runs, reasons = 0, Counter[str]()
    for seed in range(20):
        more, why = write_and_check(500, seed)
        runs, reasons = runs + more, reasons + why
    print(f"{runs} of 10000 run; refused: {reasons.most_common(5)}")
    assert runs + reasons.total() == 10_000
    assert runs > 5_000, reasons


def test_a_grammar_without_bounds_is_refused_when_a_text_does_not_end():
    with pytest.raises(NetworkError, match=r"^3 of 3 texts have no end within 50 tokens; bound the grammar$"):
        write_texts(lambda so_far: np.zeros((3, 257)), TOKENS, END, 3, grammar='start: "a"~100', most_tokens=50)


def test_the_same_seed_writes_the_same_texts():
    first, second = (write_texts(small_model(1), TOKENS, END, 3, grammar=GRAMMAR, seed=5) for _ in range(2))
    assert first == second
    assert len(set(first)) == 3


# ---- what is repaired, and what is not


@pytest.mark.parametrize(
    ("statements", "repairs"),
    [
        ("%y = Relu(%x)", ()),
        ("%y = Relu(%w)", ("%w is not defined: %x is taken",)),
        ("%a = Relu(%x)\n%a = Neg(%a)\n%y = Tanh(%a)", ("%a is defined twice: node 2 gives %a.0",)),
        ("%y = Relu(%x)\n%y = Neg(%y)", ("%y is defined twice: node 1 gives %y.0",)),
        (
            "%y = Conv(%x, f32[4,3,1,1])",
            ("node 1 (Conv): its weight has the shape [4, 8, 1, 1] instead of [4, 3, 1, 1]",),
        ),
        (
            "%a = GlobalAveragePool(%x)\n%b = MaxPool(%x) {kernel_shape=[2,2]}\n%y = Add(%x, %b)",
            ("node 3 (Add): its operands are %x, %a instead of %x, %b",),
        ),
        ("%y: f32[7] = Relu(%x)", ("%y is of another type than the text states",)),
    ],
)
def test_what_does_not_fit_is_repaired(statements: str, repairs: tuple[str, ...]):
    network = check_network(HEAD + statements + "\n}\n")
    assert (network.reason, network.repairs) == ("", repairs)
    assert_runs(network)


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        ("%y = = Relu(%x)", "<text>:5:6: unexpected '='; expected "),
        ("%y = Rleu(%x)", "node 1 (Rleu): the types of its operands do not fit, nor do those of others\n"),
        (
            "%y = MaxPool(%x) {kernel_shape=[99,99]}",
            "node 1 (MaxPool): the types of its operands do not fit, nor do those of others\n%y would have no shape",
        ),
        (
            "%a = GlobalAveragePool(%x)\n%s: i64[4] = [1,8,16000,16000]\n%y = Expand(%a, %s)",
            "node 2 (Expand): %y has more than 10000000 elements",
        ),
    ],
)
def test_what_cannot_be_repaired_is_refused_with_the_reason(statements: str, reason: str):
    network = check_network(HEAD + statements + "\n}\n")
    assert network.model is None
    assert network.reason.startswith(reason)
