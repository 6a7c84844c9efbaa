"""What torch computes: attention, GELU, recurrent layers, convolutions."""

from typing import Any

import torch
from torch.nn import functional
from torch.nn.attention import bias as torch_bias
from torch.nn.utils import rnn

from tests.golden.making import (
  Vectors,
  like,
  name_of,
  normal,
  uniform,
  until,
  vectors,
)


def _multihead(memory: Vectors, lengths: list[int], **masks: Any) -> Vectors:
  """torch's layer, of 2 heads and width 8; it reads `x` if not `memory`."""
  layer = torch.nn.MultiheadAttention(8, 2, batch_first=True)

  def function(x: Any, memory: Any = None, **parameters: Any) -> Any:
    memory = x if memory is None else memory
    given = (x, memory, memory)
    return torch.func.functional_call(layer, parameters, given, masks)[0]

  inputs = {"x": normal(len(lengths), 5, 8), **memory}
  return vectors(
    name_of(torch, "torch.nn.MultiheadAttention"),
    function,
    inputs | like(layer.named_parameters()),
    None if memory else until(lengths, 5)[..., None],
    # In this module True means forbidden, in both masks.
    forbidden=masks["attn_mask"],
    ignored=masks["key_padding_mask"],
  )


def multihead_self() -> Vectors:
  """Self-attention in a causal window of three, with padding at the end."""
  lengths = [5, 4, 3]
  forbidden = ~torch.ones(5, 5, dtype=torch.bool).tril().triu(-2)
  ignored = ~until(lengths, 5)
  return _multihead({}, lengths, attn_mask=forbidden, key_padding_mask=ignored)


def multihead_cross() -> Vectors:
  """Cross-attention under an arbitrary mask, the memory padded."""
  lengths = [6, 4]
  forbidden = uniform(5, 6) < 0.4
  forbidden[:, 1] = False
  memory = {"memory": normal(2, 6, 8)}
  masks = {"attn_mask": forbidden, "key_padding_mask": ~until(lengths, 6)}
  return _multihead(memory, lengths, **masks)


def _dot_product(
  t: int, s: int, given: str, mask: Any = None, **others: Any
) -> Vectors:
  """torch's function, [b h t k]; in it a true `mask` means allowed."""

  def function(**inputs: torch.Tensor) -> torch.Tensor:
    return functional.scaled_dot_product_attention(
      **inputs, attn_mask=mask, **others
    )

  inputs = {"query": normal(2, 2, t, 4), "key": normal(2, 2, s, 4)}
  path = f"torch.nn.functional.scaled_dot_product_attention({given})"
  return vectors(
    name_of(torch, path), function, inputs | {"value": normal(2, 2, s, 3)}
  )


def dot_product_allowed() -> Vectors:
  """An arbitrary mask, under which one query may look at nobody."""
  allowed = uniform(2, 1, 5, 6) < 0.5
  allowed[0, 0, 2] = False
  allowed[:, :, 4, 3] = True
  return _dot_product(5, 6, "attn_mask", allowed) | {"allowed": allowed}


def dot_product_is_causal() -> Vectors:
  """`is_causal` with fewer queries than keys."""
  return _dot_product(3, 5, "is_causal", is_causal=True)


def dot_product_lower_right() -> Vectors:
  """torch's own other causal mask, with fewer queries than keys."""
  mask = torch_bias.causal_lower_right(3, 5)
  return _dot_product(3, 5, "attn_mask=causal_lower_right", mask)


def grouped() -> Vectors:
  """Four heads of queries that share two heads of keys and values."""

  def heads(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return functional.linear(x, weight).unflatten(-1, (-1, 2)).transpose(1, 2)

  def function(x: Any, q: Any, k: Any, v: Any, o: Any) -> torch.Tensor:
    y = functional.scaled_dot_product_attention(
      *(heads(x, weight) for weight in (q, k, v)),
      is_causal=True,
      enable_gqa=True,
    )
    return functional.linear(y.transpose(1, 2).flatten(2), o)

  inputs = {"x": normal(2, 5, 8), "q": normal(8, 8) / 2, "o": normal(8, 8) / 2}
  inputs |= {"k": normal(4, 8) / 2, "v": normal(4, 8) / 2}
  path = "torch.nn.functional.scaled_dot_product_attention(enable_gqa=True)"
  return vectors(name_of(torch, path), function, inputs)


def feed_forward() -> Vectors:
  """Two layers around the tanh form of GELU; the exact form beside it."""
  layer = torch.nn.Sequential(
    torch.nn.Linear(4, 8),
    torch.nn.GELU(approximate="tanh"),
    torch.nn.Linear(8, 4),
  )

  def function(x: torch.Tensor, **parameters: Any) -> torch.Tensor:
    return torch.func.functional_call(layer, parameters, (x,))

  inputs = {"x": 2 * normal(2, 5, 4), **like(layer.named_parameters())}
  found = vectors(name_of(torch, "torch.nn.GELU"), function, inputs)
  layer[1] = torch.nn.GELU()
  return found | {"exact": function(**inputs)}


def _recurrent(layer: torch.nn.RNNBase, lengths: list[int]) -> Vectors:
  """A recurrent layer of torch on packed rows, and a projection after it.

  Kept beside the outputs: the state after the last token of each row.
  """

  def run(x: Any, parameters: Any) -> tuple[Any, Any]:
    packed = rnn.pack_padded_sequence(
      x, torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    return torch.func.functional_call(layer, parameters, (packed,))

  def function(x: Any, out: Any, **parameters: Any) -> torch.Tensor:
    packed, _ = run(x, parameters)
    y, _ = rnn.pad_packed_sequence(packed, batch_first=True)
    return functional.linear(y, out)

  width = (1 + layer.bidirectional) * layer.hidden_size
  inputs = {"x": normal(len(lengths), max(lengths), layer.input_size)}
  inputs |= {"out": normal(layer.input_size, width) / 2}
  parameters = like(layer.named_parameters())
  state = run(inputs["x"], parameters)[1]
  names = ("hidden", "cell") if isinstance(state, tuple) else ("hidden",)
  return vectors(
    name_of(torch, f"torch.nn.{type(layer).__name__}"),
    function,
    inputs | parameters,
    **dict(zip(names, state if len(names) == 2 else (state,), strict=True)),
  )


def rnn_tanh() -> Vectors:
  """The plain recurrence with tanh."""
  return _recurrent(torch.nn.RNN(4, 3, batch_first=True), [5, 3])


def rnn_relu() -> Vectors:
  """The plain recurrence with ReLU."""
  layer = torch.nn.RNN(4, 3, nonlinearity="relu", batch_first=True)
  return _recurrent(layer, [5, 3])


def lstm() -> Vectors:
  """One LSTM."""
  return _recurrent(torch.nn.LSTM(4, 3, batch_first=True), [5, 3])


def gru() -> Vectors:
  """One GRU."""
  return _recurrent(torch.nn.GRU(4, 3, batch_first=True), [5, 3])


def gru_both_ways() -> Vectors:
  """A GRU in each direction, the rows of different lengths."""
  layer = torch.nn.GRU(4, 4, batch_first=True, bidirectional=True)
  return _recurrent(layer, [3, 5])


def lstm_of_two() -> Vectors:
  """Two LSTMs, one above the other."""
  layer = torch.nn.LSTM(4, 4, num_layers=2, batch_first=True)
  return _recurrent(layer, [5, 3])


def _convolved(size: int, groups: int, left: int, dilation: int) -> Vectors:
  """torch's convolution of [b t d], with `left` zeros before the first token.

  As many stand after the last as keep the length.
  """
  right = (size - 1) * dilation - left

  def function(x: Any, weight: Any, bias: Any) -> torch.Tensor:
    x = functional.pad(x.mT, (left, right))
    y = functional.conv1d(x, weight, bias, dilation=dilation, groups=groups)
    return y.mT

  inputs = {"x": normal(2, 9, 4), "weight": normal(4, 4 // groups, size) / 2}
  path = f"torch.nn.functional.conv1d({groups=}, {dilation=})"
  return vectors(
    name_of(torch, path), function, inputs | {"bias": normal(4) / 2}
  )


def conv_causal() -> Vectors:
  """Every output channel reads every input channel."""
  return _convolved(3, groups=1, left=2, dilation=1)


def conv_grouped() -> Vectors:
  """Two groups of two channels each."""
  return _convolved(3, groups=2, left=2, dilation=1)


def conv_dilated() -> Vectors:
  """Every channel for itself, with every second token."""
  return _convolved(3, groups=4, left=4, dilation=2)


def conv_centred() -> Vectors:
  """Two tokens to the left, two to the right."""
  return _convolved(5, groups=1, left=2, dilation=1)
