"""Writing with a model: one compiled program from prompts to tokens."""

import functools
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from research.generation.base import Generated, Request, Way
from research.generation.beam import Beam, Beams
from research.generation.checks import (
  check_integer,
  check_key,
  check_model,
  check_sizes,
  check_source,
  check_token,
  check_width,
)
from research.generation.greedy import Greedy
from research.generation.writer import Writer
from research.models.model import EncoderDecoder, Model
from research.places import Places
from research.shapes import RandomKey
from research.tasks.transduction import BEGIN


def generate(
  model: Model,
  variables: Any,
  prompt: Int[Array, "b t"] | None = None,
  *,
  how: Way = Greedy(),  # noqa: B008 (frozen)
  length: SupportsIndex,
  lengths: Int[Array, "b"] | None = None,
  source: tuple[Array, Places] | None = None,
  begin: SupportsIndex | None = None,
  end: SupportsIndex | None = None,
  key: RandomKey | None = None,
) -> Generated:
  """What the model writes behind each prompt.

  The prompts are read in one call, and then token by token; steps end when
  every row has its END. No row depends on the others. Pure: may be called
  within `jit`, where the model, `how`, `length`, `begin` and `end` are static.
  It is one program itself, compiled once for all calls of the same shapes.

  Cost: reading the prompts, and n steps of the model; a step costs O(t + n)
  with attention and O(1) with a recurrence.

  Args:
    model: a causal `SequenceModel` over tokens, or an `EncoderDecoder`.
    variables: its parameters.
    prompt: tokens Int[b t], padded on the right. An `EncoderDecoder` needs
      none, and then goes on from `begin`.
    how: the way to choose tokens: `Greedy`, `Sampling` or `Beam`.
    length: n, the most tokens to be written.
    lengths: Int[b], the tokens of each prompt, 1 to t; None for all t.
    source: what the encoder reads, tokens Int[b s] or vectors Float[b s i],
      and where they stand.
    begin: the token before the first, without a prompt; None for `BEGIN`.
    end: END, behind which a row is not continued; None for none.
    key: of what is drawn; for `Sampling` alone.

  Raises:
    ValueError: what does not fit together, named.
  """
  given = _checked(model, how, prompt, length, lengths, source, begin, end)
  check_key(how, key)
  prompt, *static = given
  return _generate(model, how, *static, variables, prompt, lengths, source, key)


def beams(
  model: Model,
  variables: Any,
  prompt: Int[Array, "b t"] | None = None,
  *,
  how: Beam = Beam(),  # noqa: B008 (frozen)
  length: SupportsIndex,
  lengths: Int[Array, "b"] | None = None,
  source: tuple[Array, Places] | None = None,
  begin: SupportsIndex | None = None,
  end: SupportsIndex | None = None,
) -> Beams:
  """All lines that beam search finds, `width` a row, the best first.

  As `generate` with `how`, which returns the first of them; the search goes
  on until no line can outrank the last of them.
  """
  if not isinstance(how, Beam):
    raise ValueError(f"how = {how!r}; allowed: Beam(), as all lines are wanted")
  given = _checked(model, how, prompt, length, lengths, source, begin, end)
  prompt, *static = given
  return _beams(model, how, *static, variables, prompt, lengths, source)


@functools.partial(jax.jit, static_argnums=range(4))
def _generate(
  model: Model, how: Way, length: int, end: int | None, *given: Any
) -> Generated:
  return how.write(*_ready(model, length, end, *given))


@functools.partial(jax.jit, static_argnums=range(4))
def _beams(
  model: Model, how: Beam, length: int, end: int | None, *given: Any
) -> Beams:
  return how.search(*_ready(model, length, end, *given), how.width)


def _ready(
  model: Model,
  length: int,
  end: int | None,
  variables: Any,
  prompt: Int[Array, "b t"],
  lengths: Int[Array, "b"] | None,
  source: tuple[Array, Places] | None,
  key: RandomKey | None = None,
) -> tuple[Writer, Request]:
  """The model with its source encoded, and what is to be written."""
  batch, size = prompt.shape
  if lengths is None:
    lengths = jnp.full(batch, size)
  if isinstance(model, EncoderDecoder):
    assert source is not None
    check_width(model, variables, source[0])
    encoded: Any = model.apply(variables, *source, method="encode")
    source = encoded
  given = prompt.astype(jnp.int32), lengths.astype(jnp.int32)
  request = Request(*given, length, end, key)
  return Writer(model, variables, source), request


def _checked(
  model: Model,
  how: Way,
  prompt: Int[Array, "b t"] | None,
  length: SupportsIndex,
  lengths: Int[Array, "b"] | None,
  source: tuple[Array, Places] | None,
  begin: SupportsIndex | None,
  end: SupportsIndex | None,
) -> tuple[Int[Array, "b t"], int, int | None]:
  """The prompt, or BEGIN for each row of the source; the length; and END.

  Raises:
    ValueError: what does not fit together, named.
  """
  check_model(model, how, source is not None)
  length = check_integer("length", length, 1, None, "an integer, 1 or more")
  if end is not None:
    end = check_token("end", end, model.classes)
  if isinstance(model, EncoderDecoder):
    assert source is not None
    check_source(model, source)
  if prompt is None:
    if source is None:
      raise ValueError(
        "prompt = None; allowed: tokens (b, t), as SequenceModel goes on "
        "with them"
      )
    first = BEGIN if begin is None else begin
    first = check_token("begin", first, model.classes)
    prompt = jnp.full((source[0].shape[0], 1), first, jnp.int32)
  elif begin is not None:
    raise ValueError(
      f"begin = {begin!r} with a prompt; allowed: None, as rows begin with it"
    )
  check_sizes(model, prompt, length, lengths, source)
  return prompt, length, end
