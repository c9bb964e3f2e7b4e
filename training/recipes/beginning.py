"""The weights a small model begins with: able to copy, with all else to learn.

Small transformers spend most of a short training finding out how to copy: one head looks at the token before, a later one looks
for where the present token stood before and says what followed (Olsson et al. 2022, "In-context learning and induction heads").
These two are written into the first two layers by hand; everything stays trainable.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PLACES = 64
"""Coordinates of the residual stream that begin with the position; the others begin with the token."""

_TOKEN, _PLACE = 0.1, 0.2
_LOOK, _MATCH, _READ, _NOTE, _SAY = 2.2, 2.5, 0.4, 0.3, 0.6


def write_copying(model: Any, generator: "torch.Generator") -> None:
    """Sinusoidal positions in the first coordinates, and heads that copy in layers 0 and 1 of a GPT-2."""
    import torch

    width, size = model.config.n_embd, model.config.n_embd // model.config.n_head
    tokens = width - PLACES
    with torch.no_grad():
        _embeddings(model, generator)
        own = torch.linalg.qr(torch.randn(tokens, tokens, generator=generator))[0]
        noted = torch.linalg.qr(torch.randn(tokens, tokens, generator=generator))[0]
        before, match = (model.transformer.h[layer].attn for layer in (0, 1))
        for head in range(tokens // size):
            code = slice(head * size, (head + 1) * size)
            # The token before: places meet places turned back by one; what is noted is that token, in other directions.
            _read(before, code, "query", _turn(size) * _LOOK, first=0)
            _read(before, code, "key", torch.eye(size) * _LOOK, first=0)
            _read(before, code, "value", own[:, code] * _READ, first=PLACES)
            _write(before, code, noted[:, code].T * _NOTE)
            # Where the present token was noted, the token that stands there comes next.
            _read(match, code, "query", own[:, code] * _MATCH, first=PLACES)
            _read(match, code, "key", noted[:, code] * _MATCH, first=PLACES)
            _read(match, code, "value", own[:, code] * _READ, first=PLACES)
            _write(match, code, own[:, code].T * _SAY)


def _frequencies(count: int) -> "torch.Tensor":
    """From more than a radian a token down to a full turn in a few thousand tokens."""
    import torch

    return torch.logspace(0.2, -3, count)


def _embeddings(model: Any, generator: "torch.Generator") -> None:
    import torch

    places, tokens = model.transformer.wpe.weight, model.transformer.wte.weight
    angles = torch.arange(len(places))[:, None] * _frequencies(PLACES // 2)
    places.zero_()
    places[:, 0:PLACES:2] = _PLACE * angles.sin()
    places[:, 1:PLACES:2] = _PLACE * angles.cos()
    tokens.normal_(0.0, _TOKEN, generator=generator)
    tokens[:, :PLACES] = 0.0


def _turn(size: int) -> "torch.Tensor":
    """The (size, size) matrix that turns the place of a token into the place of the one before."""
    import torch

    turn = torch.zeros(size, size)
    for pair, angle in enumerate(_frequencies(PLACES // 2)[: size // 2]):
        sine, cosine = angle.sin(), angle.cos()
        block = torch.stack([torch.stack([cosine, sine]), torch.stack([-sine, cosine])])
        turn[2 * pair : 2 * pair + 2, 2 * pair : 2 * pair + 2] = block
    return turn


def _read(attention: Any, code: slice, part: str, values: "torch.Tensor", *, first: int) -> None:
    """Let a head's query, key or value read the coordinates from ``first`` on with (rows, head size) ``values``, no others."""
    offset = ("query", "key", "value").index(part) * attention.c_proj.weight.shape[0]
    target = attention.c_attn.weight[:, offset + code.start : offset + code.stop]
    target.zero_()
    target[first : first + len(values)] = values


def _write(attention: Any, code: slice, values: "torch.Tensor") -> None:
    """Let a head write (head size, token coordinates) ``values`` and touch no position."""
    attention.c_proj.weight[code] = 0.0
    attention.c_proj.weight[code, PLACES:] = values
