"""What torch's encoder–decoder computes, `torch.nn.Transformer`."""

import torch

from tests.golden.making import (
  Vectors,
  name_of,
  normal,
  stacked,
  unstacked,
  until,
  vectors,
)


def _transformer(norm_first: bool, activation: str) -> Vectors:
  """Two layers of each kind, 2 heads, width 4; rows of different lengths.

  In both placements torch has a norm behind each stack.
  """
  model = torch.nn.Transformer(
    d_model=4,
    nhead=2,
    num_encoder_layers=2,
    num_decoder_layers=2,
    dim_feedforward=8,
    dropout=0.0,
    activation=activation,
    batch_first=True,
    norm_first=norm_first,
  )
  read, written = until([6, 4], 6), until([4, 5], 5)
  masks = {
    # In this module True means forbidden.
    "tgt_mask": ~torch.ones(5, 5, dtype=torch.bool).tril(),
    "src_key_padding_mask": ~read,
    "memory_key_padding_mask": ~read,
    "tgt_key_padding_mask": ~written,
  }

  def function(
    source: torch.Tensor, target: torch.Tensor, **parameters: torch.Tensor
  ) -> torch.Tensor:
    given = unstacked(model, parameters)
    return torch.func.functional_call(model, given, (source, target), masks)

  inputs = {"source": normal(2, 6, 4), "target": normal(2, 5, 4)}
  return vectors(
    name_of(torch, f"torch.nn.Transformer({norm_first=}, {activation=})"),
    function,
    inputs | stacked(model.named_parameters()),
    written[..., None],
    read=read,
    written=written,
  )


def transformer_post() -> Vectors:
  """Norms behind each half, as in the paper."""
  return _transformer(norm_first=False, activation="relu")


def transformer_pre() -> Vectors:
  """Norms before each half, and GELU in its exact form."""
  return _transformer(norm_first=True, activation="gelu")
