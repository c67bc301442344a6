"""Nine networks as torch writes them: small re-implementations with random weights, exported to ONNX.

The modules nest and are named as in the code people run, since torch puts both into each node's metadata.  Only the
widths of some are reduced, and no weights are trained: the graphs are the real ones, the answers mean nothing.

    python tests/benchmarks/torch_models.py FOLDER [NAME...] [--raw]

>>> sorted(MODELS)  # doctest: +NORMALIZE_WHITESPACE
['bert_small', 'darts20', 'gpt12', 'llama_small', 'mobilenetv3_small', 'nasbench201', 'resnet18', 'swin_tiny',
 'vit_tiny']

The same call gives the same bytes on every run with the same torch and onnxscript.  It does NOT between two checkouts:
torch's stack traces hold the paths of this file and of torch's own.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    import onnx
    from google.protobuf.message import Message

SEED = 20_260_101
CLASSES = 1000  # as in ImageNet
MODULE = "torch_models"  # this module in the metadata, whether it was imported, by whichever name, or run


# ResNet-18, https://arxiv.org/abs/1512.03385; modules as in torchvision.


class BasicBlock(nn.Module):
    def __init__(self, inplanes: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample: nn.Module | None = None
        if stride != 1 or inplanes != planes:
            self.downsample = nn.Sequential(nn.Conv2d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))  # (B, planes, H / stride, W / stride)
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, layers: Sequence[int] = (2, 2, 2, 2)) -> None:
        super().__init__()
        self.inplanes = 64
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = self._make_layer(64, layers[0], 1)
        self.layer2 = self._make_layer(128, layers[1], 2)
        self.layer3 = self._make_layer(256, layers[2], 2)
        self.layer4 = self._make_layer(512, layers[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512, CLASSES)

    def _make_layer(self, planes: int, blocks: int, stride: int) -> nn.Sequential:
        layers = [BasicBlock(self.inplanes, planes, stride)]
        self.inplanes = planes
        layers += [BasicBlock(planes, planes, 1) for _ in range(1, blocks)]
        return nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (B, 64, H / 4, W / 4)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (B, 512, H / 32, W / 32)
        x = torch.flatten(self.avgpool(x), 1)  # (B, 512)
        return self.fc(x)  # (B, classes)


# MobileNetV3-Small, https://arxiv.org/abs/1905.02244 table 2; modules as in torchvision.


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Return the multiple of `divisor` nearest to `channels` that is not below nine tenths of it."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


class Conv2dNormActivation(nn.Sequential):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        activation: type[nn.Module] | None = nn.ReLU,
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(out_channels, eps=0.001, momentum=0.01),
        ]
        if activation is not None:
            layers.append(activation(inplace=True))
        super().__init__(*layers)


class SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation = nn.ReLU()
        self.scale_activation = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        scale = self.fc2(self.activation(self.fc1(self.avgpool(x))))  # (B, channels, 1, 1)
        return self.scale_activation(scale) * x


class InvertedResidual(nn.Module):
    def __init__(
        self,
        in_channels: int,
        kernel: int,
        expanded: int,
        out_channels: int,
        squeeze: bool,
        activation: type[nn.Module],
        stride: int,
    ) -> None:
        super().__init__()
        self.use_res_connect = stride == 1 and in_channels == out_channels
        layers: list[nn.Module] = []
        if expanded != in_channels:
            layers.append(Conv2dNormActivation(in_channels, expanded, 1, activation=activation))
        layers.append(Conv2dNormActivation(expanded, expanded, kernel, stride, groups=expanded, activation=activation))
        if squeeze:
            layers.append(SqueezeExcitation(expanded, make_divisible(expanded // 4)))
        layers.append(Conv2dNormActivation(expanded, out_channels, 1, activation=None))
        self.block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        result = self.block(x)
        if self.use_res_connect:
            result += x
        return result


class MobileNetV3(nn.Module):
    SMALL = (  # input, kernel, expanded, output, squeeze, activation, stride
        (16, 3, 16, 16, True, nn.ReLU, 2),
        (16, 3, 72, 24, False, nn.ReLU, 2),
        (24, 3, 88, 24, False, nn.ReLU, 1),
        (24, 5, 96, 40, True, nn.Hardswish, 2),
        (40, 5, 240, 40, True, nn.Hardswish, 1),
        (40, 5, 240, 40, True, nn.Hardswish, 1),
        (40, 5, 120, 48, True, nn.Hardswish, 1),
        (48, 5, 144, 48, True, nn.Hardswish, 1),
        (48, 5, 288, 96, True, nn.Hardswish, 2),
        (96, 5, 576, 96, True, nn.Hardswish, 1),
        (96, 5, 576, 96, True, nn.Hardswish, 1),
    )

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            Conv2dNormActivation(3, 16, 3, 2, activation=nn.Hardswish),
            *(InvertedResidual(*row) for row in self.SMALL),
            Conv2dNormActivation(96, 576, 1, activation=nn.Hardswish),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(576, 1024), nn.Hardswish(inplace=True), nn.Dropout(0.2, inplace=True), nn.Linear(1024, CLASSES)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(x))  # (B, 576, 1, 1)
        x = torch.flatten(x, 1)  # (B, 576)
        return self.classifier(x)  # (B, classes)


# ViT-Tiny/16, https://arxiv.org/abs/2012.12877; modules as in timm.  Its attention is torch's own.


class Mlp(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.drop1 = nn.Dropout(0.0)
        self.fc2 = nn.Linear(hidden, dim)
        self.drop2 = nn.Dropout(0.0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop1(self.act(self.fc1(x)))  # (..., hidden)
        return self.drop2(self.fc2(x))  # (..., dim)


class PatchEmbed(nn.Module):
    def __init__(self, patch_size: int, dim: int, norm: bool) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch_size, patch_size)
        self.norm = nn.LayerNorm(dim) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.proj(x)  # (B, dim, H / patch, W / patch)
        x = x.flatten(2).transpose(1, 2)  # (B, patches, dim)
        return self.norm(x)


class Attention(nn.Module):
    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = dim // num_heads
        self.qkv = nn.Linear(dim, dim * 3)
        self.attn_drop = nn.Dropout(0.0)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(0.0)

    def forward(self, x: Tensor) -> Tensor:
        B, N, C = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)  # (B, heads, N, head_dim) each
        x = F.scaled_dot_product_attention(q, k, v)
        x = x.transpose(1, 2).reshape(B, N, C)
        return self.proj_drop(self.proj(x))


class Block(nn.Module):
    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, num_heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, 4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    def __init__(self, image_size: int = 224, patch: int = 16, dim: int = 192, depth: int = 12, heads: int = 3) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(patch, dim, norm=False)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, (image_size // patch) ** 2 + 1, dim))
        self.pos_drop = nn.Dropout(0.0)
        self.blocks = nn.Sequential(*(Block(dim, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x)  # (B, patches, dim)
        x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1)  # (B, 1 + patches, dim)
        x = self.norm(self.blocks(self.pos_drop(x + self.pos_embed)))
        return self.head(x[:, 0])  # (B, classes)


# BERT-Small, https://arxiv.org/abs/1908.08962, with a vocabulary of 8,192; modules as in transformers.


class BertEmbeddings(nn.Module):
    position_ids: Tensor

    def __init__(self, vocab: int, hidden: int, positions: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab, hidden, padding_idx=0)
        self.position_embeddings = nn.Embedding(positions, hidden)
        self.token_type_embeddings = nn.Embedding(2, hidden)
        self.LayerNorm = nn.LayerNorm(hidden, eps=1e-12)
        self.dropout = nn.Dropout(0.1)
        self.register_buffer("position_ids", torch.arange(positions).expand((1, -1)), persistent=False)

    def forward(self, input_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        position_ids = self.position_ids[:, : input_ids.shape[1]]  # (1, T)
        embeddings = self.word_embeddings(input_ids) + self.token_type_embeddings(token_type_ids)  # (B, T, hidden)
        embeddings += self.position_embeddings(position_ids)
        return self.dropout(self.LayerNorm(embeddings))


class BertSelfAttention(nn.Module):
    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads, self.head_size = heads, hidden // heads
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(0.1)

    def transpose_for_scores(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.heads, self.head_size).permute(0, 2, 1, 3)  # (B, heads, T, head_size)

    def forward(self, hidden_states: Tensor, attention_mask: Tensor) -> Tensor:
        query = self.transpose_for_scores(self.query(hidden_states))
        key = self.transpose_for_scores(self.key(hidden_states))
        value = self.transpose_for_scores(self.value(hidden_states))
        scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(self.head_size)  # (B, heads, T, T)
        probs = self.dropout(F.softmax(scores + attention_mask, dim=-1))
        context = torch.matmul(probs, value).permute(0, 2, 1, 3).contiguous()  # (B, T, heads, head_size)
        return context.view(*context.shape[:-2], self.heads * self.head_size)  # (B, T, hidden)


class BertSelfOutput(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, hidden)
        self.LayerNorm = nn.LayerNorm(hidden, eps=1e-12)
        self.dropout = nn.Dropout(0.1)

    def forward(self, hidden_states: Tensor, input_tensor: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(hidden_states)) + input_tensor)


class BertAttention(nn.Module):
    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.self = BertSelfAttention(hidden, heads)
        self.output = BertSelfOutput(hidden)

    def forward(self, hidden_states: Tensor, attention_mask: Tensor) -> Tensor:
        return self.output(self.self(hidden_states, attention_mask), hidden_states)


class BertIntermediate(nn.Module):
    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, inner)
        self.intermediate_act_fn = nn.GELU()

    def forward(self, hidden_states: Tensor) -> Tensor:
        return self.intermediate_act_fn(self.dense(hidden_states))  # (B, T, inner)


class BertOutput(nn.Module):
    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inner, hidden)
        self.LayerNorm = nn.LayerNorm(hidden, eps=1e-12)
        self.dropout = nn.Dropout(0.1)

    def forward(self, hidden_states: Tensor, input_tensor: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(hidden_states)) + input_tensor)  # (B, T, hidden)


class BertLayer(nn.Module):
    def __init__(self, hidden: int, heads: int, inner: int) -> None:
        super().__init__()
        self.attention = BertAttention(hidden, heads)
        self.intermediate = BertIntermediate(hidden, inner)
        self.output = BertOutput(hidden, inner)

    def forward(self, hidden_states: Tensor, attention_mask: Tensor) -> Tensor:
        attention_output = self.attention(hidden_states, attention_mask)
        return self.output(self.intermediate(attention_output), attention_output)


class BertEncoder(nn.Module):
    def __init__(self, layers: int, hidden: int, heads: int, inner: int) -> None:
        super().__init__()
        self.layer = nn.ModuleList(BertLayer(hidden, heads, inner) for _ in range(layers))

    def forward(self, hidden_states: Tensor, attention_mask: Tensor) -> Tensor:
        for layer in self.layer:
            hidden_states = layer(hidden_states, attention_mask)
        return hidden_states


class BertPooler(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, hidden)
        self.activation = nn.Tanh()

    def forward(self, hidden_states: Tensor) -> Tensor:
        return self.activation(self.dense(hidden_states[:, 0]))  # (B, hidden)


class BertModel(nn.Module):
    def __init__(self, vocab: int = 8192, hidden: int = 512, layers: int = 4, heads: int = 8) -> None:
        super().__init__()
        self.embeddings = BertEmbeddings(vocab, hidden, positions=512)
        self.encoder = BertEncoder(layers, hidden, heads, inner=4 * hidden)
        self.pooler = BertPooler(hidden)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> tuple[Tensor, Tensor]:
        embeddings = self.embeddings(input_ids, token_type_ids)  # (B, T, hidden)
        extended_mask = attention_mask[:, None, None, :].to(embeddings.dtype)  # (B, 1, 1, T)
        extended_mask = (1.0 - extended_mask) * torch.finfo(embeddings.dtype).min
        sequence = self.encoder(embeddings, extended_mask)
        return sequence, self.pooler(sequence)


# A small Llama, https://arxiv.org/abs/2302.13971 with the grouped queries of https://arxiv.org/abs/2305.13245;
# modules as in transformers.


class LlamaRMSNorm(nn.Module):
    def __init__(self, hidden: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden))
        self.variance_epsilon = eps

    def forward(self, hidden_states: Tensor) -> Tensor:
        variance = hidden_states.to(torch.float32).pow(2).mean(-1, keepdim=True)  # (B, T, 1)
        return self.weight * (hidden_states * torch.rsqrt(variance + self.variance_epsilon))


class LlamaRotaryEmbedding(nn.Module):
    inv_freq: Tensor

    def __init__(self, head_dim: int, base: float = 10_000.0) -> None:
        super().__init__()
        inv_freq = 1.0 / base ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
        self.register_buffer("inv_freq", inv_freq, persistent=False)  # (head_dim / 2,)

    def forward(self, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        inv_freq = self.inv_freq[None, :, None].expand(position_ids.shape[0], -1, 1)  # (B, head_dim / 2, 1)
        freqs = (inv_freq @ position_ids[:, None, :].float()).transpose(1, 2)  # (B, T, head_dim / 2)
        emb = torch.cat((freqs, freqs), dim=-1)  # (B, T, head_dim)
        return emb.cos(), emb.sin()


def rotate_half(x: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    return torch.cat((-x[..., half:], x[..., :half]), dim=-1)


def repeat_kv(x: Tensor, times: int) -> Tensor:
    B, kv_heads, T, head_dim = x.shape
    x = x[:, :, None, :, :].expand(B, kv_heads, times, T, head_dim)
    return x.reshape(B, kv_heads * times, T, head_dim)  # (B, heads, T, head_dim)


class LlamaAttention(nn.Module):
    def __init__(self, hidden: int, heads: int, kv_heads: int) -> None:
        super().__init__()
        self.head_dim = hidden // heads
        self.groups = heads // kv_heads
        self.q_proj = nn.Linear(hidden, heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(hidden, kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(hidden, kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(heads * self.head_dim, hidden, bias=False)

    def forward(self, hidden_states: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        B, T, _ = hidden_states.shape
        query = self.q_proj(hidden_states).view(B, T, -1, self.head_dim).transpose(1, 2)  # (B, heads, T, head_dim)
        key = self.k_proj(hidden_states).view(B, T, -1, self.head_dim).transpose(1, 2)  # (B, kv_heads, T, head_dim)
        value = self.v_proj(hidden_states).view(B, T, -1, self.head_dim).transpose(1, 2)
        cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)  # (B, 1, T, head_dim)
        query = query * cos + rotate_half(query) * sin
        key = key * cos + rotate_half(key) * sin
        key, value = repeat_kv(key, self.groups), repeat_kv(value, self.groups)
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        out = out.transpose(1, 2).reshape(B, T, -1)
        return self.o_proj(out)  # (B, T, hidden)


class LlamaMLP(nn.Module):
    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.up_proj = nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)
        self.act_fn = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))


class LlamaDecoderLayer(nn.Module):
    def __init__(self, hidden: int, heads: int, kv_heads: int, inner: int) -> None:
        super().__init__()
        self.self_attn = LlamaAttention(hidden, heads, kv_heads)
        self.mlp = LlamaMLP(hidden, inner)
        self.input_layernorm = LlamaRMSNorm(hidden)
        self.post_attention_layernorm = LlamaRMSNorm(hidden)

    def forward(self, hidden_states: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        hidden_states = hidden_states + self.self_attn(self.input_layernorm(hidden_states), cos, sin, mask)
        return hidden_states + self.mlp(self.post_attention_layernorm(hidden_states))


class LlamaModel(nn.Module):
    def __init__(self, vocab: int, hidden: int, layers: int, heads: int, kv_heads: int, inner: int) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(vocab, hidden)
        self.layers = nn.ModuleList(LlamaDecoderLayer(hidden, heads, kv_heads, inner) for _ in range(layers))
        self.norm = LlamaRMSNorm(hidden)
        self.rotary_emb = LlamaRotaryEmbedding(hidden // heads)

    def forward(self, input_ids: Tensor) -> Tensor:
        hidden_states = self.embed_tokens(input_ids)  # (B, T, hidden)
        T = input_ids.shape[1]
        position_ids = torch.arange(T, device=input_ids.device).unsqueeze(0)  # (1, T)
        cos, sin = self.rotary_emb(position_ids)
        mask = torch.full((T, T), torch.finfo(hidden_states.dtype).min).triu(1)[None, None]  # (1, 1, T, T)
        for layer in self.layers:
            hidden_states = layer(hidden_states, cos, sin, mask)
        return self.norm(hidden_states)


class LlamaForCausalLM(nn.Module):
    def __init__(
        self,
        vocab: int = 4096,
        hidden: int = 256,
        layers: int = 8,
        heads: int = 8,
        kv_heads: int = 2,
        inner: int = 688,
    ) -> None:
        super().__init__()
        self.model = LlamaModel(vocab, hidden, layers, heads, kv_heads, inner)
        self.lm_head = nn.Linear(hidden, vocab, bias=False)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.lm_head(self.model(input_ids))  # (B, T, vocab)


# A narrow GPT-2 of 12 layers; modules as in transformers.


class Conv1D(nn.Module):
    """A linear layer whose weight lies transposed, as GPT-2 has it."""

    def __init__(self, out_features: int, in_features: int) -> None:
        super().__init__()
        self.out_features = out_features
        self.weight = nn.Parameter(torch.empty(in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: Tensor) -> Tensor:
        size_out = (*x.shape[:-1], self.out_features)
        return torch.addmm(self.bias, x.view(-1, x.shape[-1]), self.weight).view(size_out)


class NewGELUActivation(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))


class GPT2Attention(nn.Module):
    bias: Tensor

    def __init__(self, width: int, heads: int, positions: int) -> None:
        super().__init__()
        self.heads, self.head_dim = heads, width // heads
        bias = torch.tril(torch.ones((positions, positions), dtype=torch.bool)).view(1, 1, positions, positions)
        self.register_buffer("bias", bias, persistent=False)
        self.c_attn = Conv1D(3 * width, width)
        self.c_proj = Conv1D(width, width)
        self.attn_dropout = nn.Dropout(0.1)
        self.resid_dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.shape
        shape = (B, T, self.heads, self.head_dim)
        query, key, value = (part.view(shape).transpose(1, 2) for part in self.c_attn(x).split(C, dim=2))
        weights = torch.matmul(query, key.transpose(-1, -2)) / self.head_dim**0.5  # (B, heads, T, T)
        lowest = torch.full([], torch.finfo(weights.dtype).min)
        weights = torch.where(self.bias[:, :, :T, :T], weights, lowest)
        weights = self.attn_dropout(F.softmax(weights, dim=-1))
        x = torch.matmul(weights, value).transpose(1, 2).reshape(B, T, C)
        return self.resid_dropout(self.c_proj(x))


class GPT2MLP(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = Conv1D(4 * width, width)
        self.c_proj = Conv1D(width, 4 * width)
        self.act = NewGELUActivation()
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.c_proj(self.act(self.c_fc(x))))


class GPT2Block(nn.Module):
    def __init__(self, width: int, heads: int, positions: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = GPT2Attention(width, heads, positions)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = GPT2MLP(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT2Model(nn.Module):
    def __init__(self, vocab: int, width: int, layers: int, heads: int, positions: int) -> None:
        super().__init__()
        self.wte = nn.Embedding(vocab, width)
        self.wpe = nn.Embedding(positions, width)
        self.drop = nn.Dropout(0.1)
        self.h = nn.ModuleList(GPT2Block(width, heads, positions) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)

    def forward(self, input_ids: Tensor) -> Tensor:
        position_ids = torch.arange(input_ids.shape[1], device=input_ids.device).unsqueeze(0)  # (1, T)
        x = self.drop(self.wte(input_ids) + self.wpe(position_ids))  # (B, T, width)
        for block in self.h:
            x = block(x)
        return self.ln_f(x)


class GPT2LMHeadModel(nn.Module):
    def __init__(
        self, vocab: int = 4096, width: int = 128, layers: int = 12, heads: int = 4, positions: int = 128
    ) -> None:
        super().__init__()
        self.transformer = GPT2Model(vocab, width, layers, heads, positions)
        self.lm_head = nn.Linear(width, vocab, bias=False)
        self.lm_head.weight = self.transformer.wte.weight  # tied, as in GPT-2

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.lm_head(self.transformer(input_ids))  # (B, T, vocab)


# Swin-Tiny at half its width, https://arxiv.org/abs/2103.14030; modules as in the authors' code.


def window_partition(x: Tensor, window: int) -> Tensor:
    B, H, W, C = x.shape
    x = x.view(B, H // window, window, W // window, window, C)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, window, window, C)  # (B * windows, window, window, C)


def window_reverse(windows: Tensor, window: int, H: int, W: int) -> Tensor:
    B = windows.shape[0] // (H * W // window // window)
    x = windows.view(B, H // window, W // window, window, window, -1)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(B, H, W, -1)  # (B, H, W, C)


class WindowAttention(nn.Module):
    relative_position_index: Tensor

    def __init__(self, dim: int, window: int, num_heads: int) -> None:
        super().__init__()
        self.window, self.num_heads = window, num_heads
        self.scale = (dim // num_heads) ** -0.5
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, num_heads))
        coords = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        relative = (coords[:, :, None] - coords[:, None, :]) + window - 1  # (2, window ** 2, window ** 2), from 0
        self.register_buffer("relative_position_index", relative[0] * (2 * window - 1) + relative[1])
        self.qkv = nn.Linear(dim, dim * 3)
        self.attn_drop = nn.Dropout(0.0)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(0.0)
        self.softmax = nn.Softmax(dim=-1)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        B_, N, C = x.shape  # B * windows, window ** 2, dim
        qkv = self.qkv(x).reshape(B_, N, 3, self.num_heads, C // self.num_heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]  # (B_, heads, N, head_dim) each
        attn = (q * self.scale) @ k.transpose(-2, -1)  # (B_, heads, N, N)
        bias = self.relative_position_bias_table[self.relative_position_index.view(-1)].view(N, N, -1)
        attn = attn + bias.permute(2, 0, 1).contiguous().unsqueeze(0)
        if mask is not None:
            windows = mask.shape[0]
            attn = attn.view(B_ // windows, windows, self.num_heads, N, N) + mask.unsqueeze(1).unsqueeze(0)
            attn = attn.view(-1, self.num_heads, N, N)
        attn = self.attn_drop(self.softmax(attn))
        x = (attn @ v).transpose(1, 2).reshape(B_, N, C)
        return self.proj_drop(self.proj(x))


class SwinTransformerBlock(nn.Module):
    attn_mask: Tensor | None

    def __init__(self, dim: int, resolution: int, num_heads: int, window: int, shift: int) -> None:
        super().__init__()
        if resolution <= window:  # one window holds the whole image
            window, shift = resolution, 0
        self.resolution, self.window, self.shift = resolution, window, shift
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, window, num_heads)
        self.drop_path = nn.Identity()
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, 4 * dim)
        self.register_buffer("attn_mask", self._shifted_mask() if shift else None)

    def _shifted_mask(self) -> Tensor:
        """Return (windows, window ** 2, window ** 2): -100 between pixels that only the shift made neighbours."""
        regions = torch.zeros((1, self.resolution, self.resolution, 1))
        slices = (slice(0, -self.window), slice(-self.window, -self.shift), slice(-self.shift, None))
        for number, (rows, columns) in enumerate((rows, columns) for rows in slices for columns in slices):
            regions[:, rows, columns, :] = number
        windows = window_partition(regions, self.window).view(-1, self.window**2)
        difference = windows.unsqueeze(1) - windows.unsqueeze(2)
        return difference.masked_fill(difference != 0, -100.0)

    def forward(self, x: Tensor) -> Tensor:
        H = W = self.resolution
        B, L, C = x.shape
        shortcut = x
        x = self.norm1(x).view(B, H, W, C)
        if self.shift:
            x = torch.roll(x, shifts=(-self.shift, -self.shift), dims=(1, 2))
        windows = window_partition(x, self.window).view(-1, self.window**2, C)  # (B * windows, window ** 2, C)
        windows = self.attn(windows, self.attn_mask).view(-1, self.window, self.window, C)
        x = window_reverse(windows, self.window, H, W)
        if self.shift:
            x = torch.roll(x, shifts=(self.shift, self.shift), dims=(1, 2))
        x = shortcut + self.drop_path(x.view(B, L, C))
        return x + self.drop_path(self.mlp(self.norm2(x)))  # (B, H * W, C)


class PatchMerging(nn.Module):
    def __init__(self, resolution: int, dim: int) -> None:
        super().__init__()
        self.resolution = resolution
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = nn.LayerNorm(4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        B, _, C = x.shape
        x = x.view(B, self.resolution, self.resolution, C)
        corners = (x[:, 0::2, 0::2, :], x[:, 1::2, 0::2, :], x[:, 0::2, 1::2, :], x[:, 1::2, 1::2, :])
        x = torch.cat(corners, -1).view(B, -1, 4 * C)  # (B, H / 2 * W / 2, 4 C)
        return self.reduction(self.norm(x))  # (B, H / 2 * W / 2, 2 C)


class BasicLayer(nn.Module):
    def __init__(self, dim: int, resolution: int, depth: int, num_heads: int, window: int, downsample: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            SwinTransformerBlock(dim, resolution, num_heads, window, shift=window // 2 if number % 2 else 0)
            for number in range(depth)
        )
        self.downsample = PatchMerging(resolution, dim) if downsample else None

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class SwinTransformer(nn.Module):
    def __init__(
        self,
        image_size: int = 224,
        patch: int = 4,
        dim: int = 48,
        depths: Sequence[int] = (2, 2, 6, 2),
        heads: Sequence[int] = (3, 6, 12, 24),
        window: int = 7,
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(patch, dim, norm=True)
        self.pos_drop = nn.Dropout(0.0)
        self.layers = nn.ModuleList(
            BasicLayer(dim << i, image_size // patch >> i, depth, heads[i], window, downsample=i + 1 < len(depths))
            for i, depth in enumerate(depths)
        )
        width = dim << (len(depths) - 1)
        self.norm = nn.LayerNorm(width)
        self.avgpool = nn.AdaptiveAvgPool1d(1)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pos_drop(self.patch_embed(x))  # (B, patches, dim)
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)  # (B, patches / 64, 8 dim)
        x = torch.flatten(self.avgpool(x.transpose(1, 2)), 1)  # (B, 8 dim)
        return self.head(x)  # (B, classes)


# A network of NAS-Bench-201, https://arxiv.org/abs/2001.00326; modules as in the authors' code.


class ReLUConvBN(nn.Module):
    def __init__(self, C_in: int, C_out: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(inplace=False),
            nn.Conv2d(C_in, C_out, kernel, stride, padding, bias=False),
            nn.BatchNorm2d(C_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class Pooling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.op = nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class Identity(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


NASBENCH201_OPS: dict[str, Callable[[int], nn.Module]] = {
    "nor_conv_3x3": lambda C: ReLUConvBN(C, C, 3, 1, 1),
    "nor_conv_1x1": lambda C: ReLUConvBN(C, C, 1, 1, 0),
    "avg_pool_3x3": lambda C: Pooling(),
    "skip_connect": lambda C: Identity(),
}

# |nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|
NASBENCH201_GENOTYPE = (  # of each node after the first: operator, node it reads
    (("nor_conv_3x3", 0),),
    (("nor_conv_1x1", 0), ("avg_pool_3x3", 1)),
    (("skip_connect", 0), ("nor_conv_3x3", 1), ("nor_conv_1x1", 2)),
)


class InferCell(nn.Module):
    def __init__(self, C: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(NASBENCH201_OPS[op](C) for node in NASBENCH201_GENOTYPE for op, _ in node)

    def forward(self, inputs: Tensor) -> Tensor:
        nodes = [inputs]
        layers = iter(self.layers)
        for node in NASBENCH201_GENOTYPE:
            total = sum(next(layers)(nodes[source]) for _, source in node)  # from 0, as there: an Add that does nothing
            nodes.append(cast(Tensor, total))
        return nodes[-1]  # (B, C, H, W)


class ResNetBasicblock(nn.Module):
    def __init__(self, inplanes: int, planes: int) -> None:
        super().__init__()
        self.conv_a = ReLUConvBN(inplanes, planes, 3, 2, 1)
        self.conv_b = ReLUConvBN(planes, planes, 3, 1, 1)
        self.downsample = nn.Sequential(nn.AvgPool2d(2, 2, 0), nn.Conv2d(inplanes, planes, 1, 1, 0, bias=False))

    def forward(self, inputs: Tensor) -> Tensor:
        basicblock = self.conv_b(self.conv_a(inputs))
        return self.downsample(inputs) + basicblock  # (B, planes, H / 2, W / 2)


class TinyNetwork(nn.Module):
    def __init__(self, C: int = 16, N: int = 5, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, C, 3, padding=1, bias=False), nn.BatchNorm2d(C))
        cells: list[nn.Module] = [InferCell(C) for _ in range(N)]
        for width in (2 * C, 4 * C):
            cells.append(ResNetBasicblock(width // 2, width))
            cells += [InferCell(width) for _ in range(N)]
        self.cells = nn.ModuleList(cells)
        self.lastact = nn.Sequential(nn.BatchNorm2d(4 * C), nn.ReLU(inplace=True))
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(4 * C, classes)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        feature = self.stem(inputs)  # (B, C, H, W)
        for cell in self.cells:
            feature = cell(feature)
        out = self.global_pooling(self.lastact(feature))  # (B, 4 C, 1, 1)
        out = out.view(out.size(0), -1)
        return out, self.classifier(out)  # (B, 4 C), (B, classes)


# A narrow DARTS network of 20 cells, https://arxiv.org/abs/1806.09055, with the authors' genotype DARTS_V2; modules as
# in their code.


class DilConv(nn.Module):
    def __init__(self, C: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(inplace=False),
            nn.Conv2d(C, C, kernel, stride, padding, dilation, groups=C, bias=False),
            nn.Conv2d(C, C, 1, bias=False),
            nn.BatchNorm2d(C),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class SepConv(nn.Module):
    def __init__(self, C: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(inplace=False),
            nn.Conv2d(C, C, kernel, stride, padding, groups=C, bias=False),
            nn.Conv2d(C, C, 1, bias=False),
            nn.BatchNorm2d(C),
            nn.ReLU(inplace=False),
            nn.Conv2d(C, C, kernel, 1, padding, groups=C, bias=False),
            nn.Conv2d(C, C, 1, bias=False),
            nn.BatchNorm2d(C),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class FactorizedReduce(nn.Module):
    def __init__(self, C_in: int, C_out: int) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=False)
        self.conv_1 = nn.Conv2d(C_in, C_out // 2, 1, 2, bias=False)
        self.conv_2 = nn.Conv2d(C_in, C_out // 2, 1, 2, bias=False)
        self.bn = nn.BatchNorm2d(C_out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        out = torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], dim=1)
        return self.bn(out)  # (B, C_out, H / 2, W / 2)


DARTS_OPS: dict[str, Callable[[int, int], nn.Module]] = {  # of channels, stride
    "max_pool_3x3": lambda C, stride: nn.MaxPool2d(3, stride, 1),
    "skip_connect": lambda C, stride: Identity() if stride == 1 else FactorizedReduce(C, C),
    "sep_conv_3x3": lambda C, stride: SepConv(C, 3, stride, 1),
    "dil_conv_3x3": lambda C, stride: DilConv(C, 3, stride, 2, 2),
}

DARTS_NORMAL = (  # operator, state it reads; two make a new state, the first two states are the cells before
    ("sep_conv_3x3", 0),
    ("sep_conv_3x3", 1),
    ("sep_conv_3x3", 0),
    ("sep_conv_3x3", 1),
    ("sep_conv_3x3", 1),
    ("skip_connect", 0),
    ("skip_connect", 0),
    ("dil_conv_3x3", 2),
)
DARTS_REDUCE = (
    ("max_pool_3x3", 0),
    ("max_pool_3x3", 1),
    ("skip_connect", 2),
    ("max_pool_3x3", 1),
    ("max_pool_3x3", 0),
    ("skip_connect", 2),
    ("skip_connect", 2),
    ("max_pool_3x3", 1),
)


class Cell(nn.Module):
    def __init__(self, C_prev_prev: int, C_prev: int, C: int, reduction: bool, reduction_prev: bool) -> None:
        super().__init__()
        if reduction_prev:
            self.preprocess0: nn.Module = FactorizedReduce(C_prev_prev, C)
        else:
            self.preprocess0 = ReLUConvBN(C_prev_prev, C, 1, 1, 0)
        self.preprocess1 = ReLUConvBN(C_prev, C, 1, 1, 0)
        genotype = DARTS_REDUCE if reduction else DARTS_NORMAL
        self._indices = [source for _, source in genotype]
        self._ops = nn.ModuleList(DARTS_OPS[op](C, 2 if reduction and source < 2 else 1) for op, source in genotype)

    def forward(self, s0: Tensor, s1: Tensor) -> Tensor:
        states = [self.preprocess0(s0), self.preprocess1(s1)]
        for i in range(0, len(self._indices), 2):
            h1 = self._ops[i](states[self._indices[i]])
            h2 = self._ops[i + 1](states[self._indices[i + 1]])
            states.append(h1 + h2)
        return torch.cat(states[2:], dim=1)  # (B, 4 C, H, W), halved by a reduction


class NetworkCIFAR(nn.Module):
    def __init__(self, C: int = 8, layers: int = 20, classes: int = 10) -> None:
        super().__init__()
        C_curr = 3 * C
        self.stem = nn.Sequential(nn.Conv2d(3, C_curr, 3, padding=1, bias=False), nn.BatchNorm2d(C_curr))
        C_prev_prev, C_prev, C_curr = C_curr, C_curr, C
        self.cells = nn.ModuleList()
        reduction_prev = False
        for number in range(layers):
            reduction = number in (layers // 3, 2 * layers // 3)
            C_curr = 2 * C_curr if reduction else C_curr
            self.cells.append(Cell(C_prev_prev, C_prev, C_curr, reduction, reduction_prev))
            reduction_prev = reduction
            C_prev_prev, C_prev = C_prev, 4 * C_curr
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(C_prev, classes)

    def forward(self, input: Tensor) -> Tensor:
        s0 = s1 = self.stem(input)  # (B, 3 C, H, W)
        for cell in self.cells:
            s0, s1 = s1, cell(s0, s1)
        out = self.global_pooling(s1)  # (B, 16 C, 1, 1)
        return self.classifier(out.view(out.size(0), -1))  # (B, classes)


# The table, and what is done with it.


def randomize(model: nn.Module) -> None:
    """Fill the parameters and running statistics from torch's generator; a layer about keeps the size of its input."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 4:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
            elif parameter.ndim > 1:
                nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
            elif name.endswith("bias"):
                nn.init.normal_(parameter, std=0.1)
            else:  # the scale of a normalization
                nn.init.uniform_(parameter, 0.5, 1.5)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                nn.init.normal_(buffer, std=0.1)
            elif name.endswith("running_var"):
                nn.init.uniform_(buffer, 0.5, 1.5)


def settle(model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Scale each batch normalization's running statistics to what reaches it from `inputs`, as training would.

    Without it the deepest networks leave float16, or answer the same to every input.
    """

    def fit(norm: nn.Module, args: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
        power = 2.0 ** round(math.log2(args[0].std().item()))  # rounded: the order of a sum must not show in the file
        norm.running_mean *= power
        norm.running_var *= power**2

    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(fit) for norm in norms]
    with torch.no_grad():
        model(*inputs)
    for hook in hooks:
        hook.remove()


def seeded(
    network: Callable[[], nn.Module], inputs: Callable[[], tuple[Tensor, ...]]
) -> Callable[[], tuple[nn.Module, tuple[Tensor, ...]]]:
    """Return a builder of the network, in evaluation mode, and of inputs for it: the same ones at every call."""

    def build() -> tuple[nn.Module, tuple[Tensor, ...]]:
        with torch.random.fork_rng(devices=[]):  # the caller's generator stays as it was
            torch.manual_seed(SEED)
            model, arguments = network().eval(), inputs()
            randomize(model)
        settle(model, arguments)
        return model, arguments

    return build


def image(size: int) -> tuple[Tensor, ...]:
    return (torch.randn(1, 3, size, size),)  # (B, 3, H, W)


def tokens(vocab: int, length: int) -> tuple[Tensor, ...]:
    return (torch.randint(1, vocab, (1, length)),)  # (B, T)


def bert_inputs(vocab: int = 8192, length: int = 64) -> tuple[Tensor, ...]:
    position = torch.arange(length).unsqueeze(0)  # (B, T)
    attention_mask = (position < length - 16).long()  # the last 16 tokens are padding
    token_type_ids = (position >= length // 2).long() * attention_mask
    return tokens(vocab, length)[0] * attention_mask, attention_mask, token_type_ids


MODELS: dict[str, Callable[[], tuple[nn.Module, tuple[Tensor, ...]]]] = {
    "resnet18": seeded(ResNet, lambda: image(224)),
    "mobilenetv3_small": seeded(MobileNetV3, lambda: image(224)),
    "vit_tiny": seeded(VisionTransformer, lambda: image(224)),
    "bert_small": seeded(BertModel, bert_inputs),
    "llama_small": seeded(LlamaForCausalLM, lambda: tokens(4096, 64)),
    "gpt12": seeded(GPT2LMHeadModel, lambda: tokens(4096, 64)),
    "swin_tiny": seeded(SwinTransformer, lambda: image(224)),
    "nasbench201": seeded(TinyNetwork, lambda: image(32)),
    "darts20": seeded(NetworkCIFAR, lambda: image(32)),
}


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Swallow what Python code prints, logs or warns of.  Text that C++ writes past Python is NOT caught."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def export(name: str, folder: Path, *, optimize: bool = True) -> Path:
    """Return the file of the model in `folder`, weights and torch's metadata inside, after writing it where needed.

    It is NAME.onnx, or NAME.raw.onnx for the graph as torch has it before its optimizer.  A file of that name that
    exists is returned as it is, NOT compared.  It appears whole or not at all.  Raises ValueError for an unknown name.
    """
    if name not in MODELS:
        raise ValueError(f"{name}: there is no such model; expected one of {', '.join(MODELS)}")
    path = folder / (f"{name}.onnx" if optimize else f"{name}.raw.onnx")
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    model, inputs = MODELS[name]()
    for module in model.modules():  # run as a script, their classes would be those of __main__
        if type(module).__module__ == __name__:
            type(module).__module__ = MODULE
    temporary = folder / f".{path.name}.{os.getpid()}"
    try:
        with silence():
            program = torch.onnx.export(model, inputs, dynamo=True, external_data=False, optimize=optimize)
            assert program is not None  # so it is with dynamo=True
            program.save(temporary, external_data=False)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def strip_metadata(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy without metadata_props and doc strings: of the model, of graphs and nodes, of anything in them."""
    copy = type(model)()
    copy.CopyFrom(model)
    _clear_metadata(copy)
    return copy


def _clear_metadata(message: Message) -> None:
    for field, value in message.ListFields():
        if field.name in ("metadata_props", "doc_string"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for child in (value,) if hasattr(value, "ListFields") else value:
                _clear_metadata(child)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Export the benchmark networks from torch to ONNX.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the files go; those that exist are kept")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(MODELS)}")
    parser.add_argument("--raw", action="store_true", help="write NAME.raw.onnx, without torch's optimizer")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in MODELS]:
        parser.error(f"there is no model {', '.join(unknown)}; expected some of {', '.join(MODELS)}")
    for name in options.names or MODELS:
        started_s = time.perf_counter()
        path = export(name, options.folder, optimize=not options.raw)
        elapsed_s = time.perf_counter() - started_s
        print(f"{path}  {path.stat().st_size / 2**20:.1f} MiB  {elapsed_s:.1f} s", flush=True)


if __name__ == "__main__":
    main()
