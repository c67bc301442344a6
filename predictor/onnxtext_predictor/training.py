"""Training on pairs: of two networks of one source, the better one is to have the higher score.

Every step takes some networks of every source and adds up what their pairs cost, so that labels of a benchmark and the
formula's ranking of networks without labels are learned side by side.  The loop is that of `transformers.Trainer`, with
its devices, its checkpoints and its resuming.

Source: the pairwise hinge with a margin of 0.1 is that of ONNX-Net (arXiv 2510.04938).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments, set_seed

from onnxtext_predictor.encoder import EncoderConfig, TextEncoder, pad

Loss = Literal["hinge", "logistic", "listwise"]


@dataclass(frozen=True)
class Source:
    """Networks that are compared with each other.

    `words` are the word numbers of each, `features` [networks, header], `labels` [networks], higher for better.
    `weight` is that of their pairs in the loss.
    """

    name: str
    words: Sequence[Sequence[int]]
    features: NDArray[np.float32]
    labels: NDArray[np.float64]
    weight: float = 1.0


@dataclass(frozen=True)
class TrainingConfig:
    """What decides a training besides the data."""

    seed: int = 0
    steps: int = 600
    networks: int = 64  # of each source, in a step
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup: float = 0.1  # of the steps
    loss: Loss = "hinge"
    margin: float = 0.1
    forget: float = 0.02  # of the words are read as unknown, so that unknown words are nothing new
    longest: int = 256  # words of a network that is trained on
    encoder: dict[str, Any] = field(default_factory=dict)  # fields of EncoderConfig


def train(
    sources: Sequence[Source],
    config: TrainingConfig,
    words: int,
    folder: str,
    *,
    quiet: bool = True,
    resume: bool = False,
) -> TextEncoder:
    """Return a text model of `words` words that ranks the networks of each source.

    Checkpoints are written to `folder`, from the last of which `resume` goes on.
    """
    set_seed(config.seed)
    header = sources[0].features.shape[1]
    model = TextEncoder(EncoderConfig(words=words, header=header, **config.encoder))
    arguments = TrainingArguments(
        output_dir=folder,
        max_steps=config.steps,
        per_device_train_batch_size=1,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=round(config.warmup * config.steps),
        lr_scheduler_type="cosine",
        max_grad_norm=1.0,
        seed=config.seed,
        data_seed=config.seed,
        save_strategy="steps" if not quiet else "no",
        save_steps=max(config.steps // 5, 1),
        save_total_limit=1,
        logging_steps=max(config.steps // 20, 1),
        report_to=[],
        disable_tqdm=quiet,
        remove_unused_columns=False,
        use_cpu=not torch.cuda.is_available(),
    )
    trainer = _PairTrainer(
        model=model,
        args=arguments,
        train_dataset=_Steps(sources, config),
        data_collator=lambda items: items[0],
    )
    trainer.source_weights = [source.weight for source in sources]
    trainer.cost = costs(config.loss, config.margin)
    if quiet:
        from transformers import PrinterCallback

        trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=resume)
    return model.eval()


class _Steps(Dataset):
    """Step -> for each source the words, features and labels of some of its networks, drawn by seed and step."""

    def __init__(self, sources: Sequence[Source], config: TrainingConfig) -> None:
        self._config = config
        self._sources = sources
        self._short = [[k for k, row in enumerate(source.words) if len(row) <= config.longest] for source in sources]

    def __len__(self) -> int:
        return self._config.steps

    def __getitem__(self, step: int) -> dict[str, list[Tensor]]:
        random = np.random.default_rng((self._config.seed, step))
        batch: dict[str, list[Tensor]] = {"words": [], "features": [], "labels": []}
        for source, short in zip(self._sources, self._short, strict=True):
            rows = random.choice(short, min(self._config.networks, len(short)), replace=False)
            words = pad([source.words[k] for k in rows])
            forgotten = torch.from_numpy(random.random(words.shape) < self._config.forget)
            words[forgotten & (words > 3)] = 2
            batch["words"].append(words)
            batch["features"].append(torch.from_numpy(source.features[rows]))
            batch["labels"].append(torch.from_numpy(source.labels[rows]))
        return batch


class _PairTrainer(Trainer):
    """`transformers.Trainer` with a loss over the pairs within each source."""

    source_weights: list[float]
    cost: Callable[[Tensor, Tensor], Tensor]

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        total = torch.zeros((), device=inputs["words"][0].device)
        for weight, words, features, labels in zip(
            self.source_weights, inputs["words"], inputs["features"], inputs["labels"], strict=True
        ):
            total = total + weight * self.cost(model(words, features), labels)
        return (total, None) if return_outputs else total


def costs(loss: Loss, margin: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Return what scores [networks] cost, given labels [networks]."""

    def pairs(scores: Tensor, labels: Tensor) -> Tensor:
        """Return by how much the better of every two networks leads."""
        better, worse = torch.nonzero(labels[:, None] > labels[None, :], as_tuple=True)
        return scores[better] - scores[worse]

    def hinge(scores: Tensor, labels: Tensor) -> Tensor:
        return torch.relu(margin - pairs(scores, labels)).mean()

    def logistic(scores: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.softplus(-pairs(scores, labels)).mean()

    def listwise(scores: Tensor, labels: Tensor) -> Tensor:
        """Return the negative logarithm of the likelihood of the whole ranking (Xia et al., ListMLE, 2008)."""
        ordered = scores[torch.argsort(labels, descending=True)]
        return (torch.logcumsumexp(ordered.flip(0), 0).flip(0) - ordered).mean()

    return {"hinge": hinge, "logistic": logistic, "listwise": listwise}[loss]


@torch.no_grad()
def scores(model: TextEncoder, words: Sequence[Sequence[int]], features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the scores [networks], those of equal length together."""
    device = next(model.parameters()).device
    result = np.zeros(len(words))
    order = sorted(range(len(words)), key=lambda k: len(words[k]))
    for start in range(0, len(order), 256):
        rows = order[start : start + 256]
        header = torch.from_numpy(features[rows]).to(device)
        result[rows] = model(pad([words[k] for k in rows]).to(device), header).double().cpu().numpy()
    return result
