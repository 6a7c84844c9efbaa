"""What whole models of Transformers compute: BERT, GPT-2 and T5.

Two layers of each kind, 2 heads, width 4, 11 tokens, rows of different
lengths. What stands on padding does not count.
"""

from typing import Any

import torch
import transformers

from tests.golden.making import (
  Vectors,
  name_of,
  stacked,
  uniform,
  unstacked,
  until,
  vectors,
)

_PLAIN = {"vocab_size": 11, "attn_implementation": "eager"}


def _tokens(valid: torch.Tensor) -> torch.Tensor:
  """Random ones from 1 on, and 0 on padding."""
  return (1 + 10 * uniform(*valid.shape)).long() * valid


def _model(
  model: torch.nn.Module,
  valid: torch.Tensor,
  given: Vectors,
  constant: tuple[str, ...] = (),
  **others: torch.Tensor,
) -> Vectors:
  """The first output of a model, and its gradients to all parameters.

  Parameters whose names end as one of `constant` are kept beside the others.
  """
  model = model.double().eval()
  parameters = stacked(model.named_parameters())
  fixed = {
    name: parameters.pop(name)
    for name in [*parameters]
    if name.endswith(constant)
  }

  def function(**parameters: torch.Tensor) -> torch.Tensor:
    parameters = unstacked(model, parameters | fixed)
    found = torch.func.functional_call(model, parameters, (), given)
    return found[0]

  return vectors(
    name_of(transformers, type(model).__name__),
    function,
    parameters,
    valid[..., None],
    valid=valid,
    **others,
    **fixed,
  )


def bert() -> Vectors:
  """An encoder alone: its last hidden states."""
  config = transformers.BertConfig(
    hidden_size=4,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=8,
    max_position_embeddings=7,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
    **_PLAIN,
  )
  valid = until([6, 4], 6)
  given = {
    "input_ids": _tokens(valid),
    "token_type_ids": (uniform(2, 6) < 0.5).long(),
    "attention_mask": valid.long(),
  }
  model = transformers.BertModel(config, add_pooling_layer=False)
  # Biases of keys change nothing: their gradients are rounding alone.
  constant = ("attention.self.key.bias",)
  return _model(model, valid, given, constant, **given)


def gpt2() -> Vectors:
  """A decoder alone: its logits, the readout tied to the tokens."""
  config = transformers.GPT2Config(
    n_embd=4,
    n_layer=2,
    n_head=2,
    n_inner=8,
    n_positions=7,
    resid_pdrop=0.0,
    embd_pdrop=0.0,
    attn_pdrop=0.0,
    bos_token_id=0,
    eos_token_id=0,
    **_PLAIN,
  )
  valid = until([6, 4], 6)
  given = {"input_ids": _tokens(valid), "attention_mask": valid.long()}
  return _model(transformers.GPT2LMHeadModel(config), valid, given, **given)


def _t5(**fields: Any) -> torch.nn.Module:
  """The model by its configuration."""
  config = transformers.T5Config(
    d_model=4,
    d_kv=2,
    d_ff=8,
    num_layers=2,
    num_heads=2,
    relative_attention_num_buckets=8,
    relative_attention_max_distance=7,
    dropout_rate=0.0,
    decoder_start_token_id=0,
    **_PLAIN,
    **fields,
  )
  return transformers.T5ForConditionalGeneration(config)


def _translated(model: torch.nn.Module) -> Vectors:
  """An encoder–decoder with its logits."""
  read, written = until([7, 4], 7), until([4, 6], 6)
  given = {
    "input_ids": _tokens(read),
    "attention_mask": read.long(),
    "decoder_input_ids": _tokens(written),
    "decoder_attention_mask": written.long(),
  }
  return _model(model, written, given, **given)


def t5() -> Vectors:
  """As published: ReLU, one table for source, target and readout."""
  return _translated(_t5())


def t5_gated() -> Vectors:
  """Version 1.1: GEGLU, and a readout of its own, which is not scaled."""
  model = _t5(feed_forward_proj="gated-gelu", tie_word_embeddings=False)
  # Transformers ties the two for as long as nobody puts another in its place.
  model.lm_head = torch.nn.Linear(4, 11, bias=False)
  return _translated(model)
