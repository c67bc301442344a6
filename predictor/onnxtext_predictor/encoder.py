"""The text model: a small ModernBERT over the words of a sketch, with the features of the network in front.

Source: Warner et al., "Smarter, Better, Faster, Longer: A Modern Bidirectional Encoder" (2024), as the library
transformers has it; trained from nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from transformers import ModernBertConfig, ModernBertModel


@dataclass(frozen=True)
class EncoderConfig:
    """The size of the text model.  `header` is how many features stand in front of the words; 0 for text alone."""

    words: int
    header: int = 0
    width: int = 64
    layers: int = 2
    heads: int = 4
    inner: int = 96
    longest: int = 2048
    dropout: float = 0.1

    def to_dict(self) -> dict[str, int | float]:
        return asdict(self)


class TextEncoder(nn.Module):
    """Words and features of networks to scores, higher for better."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.sizes = config
        self.encoder = ModernBertModel(
            ModernBertConfig(
                vocab_size=config.words,
                hidden_size=config.width,
                intermediate_size=config.inner,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                max_position_embeddings=config.longest,
                pad_token_id=0,
                cls_token_id=1,
                bos_token_id=1,
                sep_token_id=3,
                eos_token_id=3,
                attention_dropout=0.0,
                embedding_dropout=config.dropout,
                mlp_dropout=config.dropout,
            )
        )
        self.header = nn.Linear(config.header, config.width) if config.header else None
        self.head = nn.Sequential(nn.Linear(config.width, config.width), nn.GELU(), nn.Linear(config.width, 1))

    def forward(self, words: Tensor, header: Tensor | None = None) -> Tensor:
        """Return scores [networks] for words [networks, length] (0 is padding) and features [networks, header]."""
        mask = (words != 0).long()
        embedded = self.encoder.embeddings.tok_embeddings(words)
        if self.header is not None:
            assert header is not None
            first = self.header(header)[:, None]
            embedded = torch.cat([embedded[:, :1] + first, embedded[:, 1:]], 1)
        hidden = self.encoder(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        weight = mask[..., None].to(hidden.dtype)
        pooled = (hidden * weight).sum(1) / weight.sum(1)
        return self.head(pooled)[:, 0]


def pad(rows: Sequence[Sequence[int]]) -> Tensor:
    """Return word numbers [networks, longest], with zeros behind the shorter ones."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], dtype=torch.long)
