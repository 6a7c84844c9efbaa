"""What is refused before anything is computed, by name."""

import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from research.generation.base import Way
from research.models.model import EncoderDecoder, Model
from research.places import Places, check_places
from research.positions.base import InputPosition
from research.shapes import RandomKey


def check_model(model: Model, how: Way, given: bool) -> None:
  """Refuses a model that does not write, or not in this way.

  Args:
    model: that is to write.
    how: the way.
    given: whether there is a source.

  Raises:
    ValueError: no classes yet; a source that is missing, or that nothing
      reads; vectors; pooling; outputs that are no inputs; a cache without a
      causal model; what the way refuses.
  """
  if not isinstance(how, Way):
    raise ValueError(
      f"how = {how!r}; allowed: a way to write, as Greedy(), Sampling() or "
      "Beam()"
    )
  if model.classes < 1:
    raise ValueError("classes = 0; allowed: 1 or more, as the task says")
  if isinstance(model, EncoderDecoder):
    if not given:
      raise ValueError(
        "source = None; allowed: (inputs, places), as the encoder reads it"
      )
    mixer = model.decoder.mixer
  else:
    _check_sequence_model(model, given)
    mixer = model.mixer
  if how.streams and not model.causal:
    raise ValueError(
      f"mixer = {type(mixer).__name__} is not causal, and "
      f"{type(how).__name__} goes on with a cache; allowed: causal mixers, or "
      "how = Greedy(cached=False)"
    )
  how.check(model.classes)


def _check_sequence_model(model: Model, given: bool) -> None:
  if given:
    raise ValueError(
      "source was given to SequenceModel; allowed: None, only EncoderDecoder "
      "reads from another sequence"
    )
  if not model.vocabulary:
    raise ValueError(
      "vocabulary = 0 is a model over vectors; allowed: a model over tokens"
    )
  if model.pooling != "none":
    raise ValueError(
      f"pooling = {model.pooling!r} does not write; allowed: 'none'"
    )
  if model.classes > model.vocabulary:
    raise ValueError(
      f"classes = {model.classes} with vocabulary {model.vocabulary}; allowed: "
      "classes <= vocabulary, as what is written is read again"
    )


def check_source(model: EncoderDecoder, source: tuple[Array, Places]) -> None:
  """Refuses a source that the encoder cannot read, where it is known.

  Raises:
    ValueError: no inputs with their places, of as many rows and tokens;
      segments of several sequences; a position beyond the table; tokens out of
      the vocabulary.
  """
  pair = isinstance(source, tuple) and len(source) == 2
  if not (pair and isinstance(source[1], Places)):
    raise ValueError(
      f"source has type {type(source).__name__}; allowed: (inputs, places)"
    )
  inputs, places = source
  _check_array("source", inputs)
  if inputs.ndim < 2:
    raise ValueError(
      f"source has shape {inputs.shape}; allowed: (b, s), or (b, s, i)"
    )
  check_places(inputs, places)
  segments, positions = _known(places.segments), _known(places.positions)
  size = inputs.shape[1]
  if segments is not None:
    wrong = segments[(segments != 0) & (segments != 1)]
    if wrong.size:
      raise ValueError(
        f"source has segment {wrong[0]}; allowed: 1, and 0 for padding, as a "
        "row writes behind one source"
      )
    if positions is not None:
      size = int(np.max(positions[segments > 0], initial=-1)) + 1
  _check_reach("source", model.source_position, size)
  if model.vocabulary and jnp.issubdtype(inputs.dtype, jnp.integer):
    _check_tokens("source", inputs, segments, model.vocabulary)


def check_width(model: EncoderDecoder, variables: Any, inputs: Array) -> None:
  """Refuses vectors of another width than those that a model was made for.

  Raises:
    ValueError: names the width of its own.
  """
  embed = variables.get("params", {}).get("source_embed", {})
  if model.vocabulary or "kernel" not in embed:
    return
  width = embed["kernel"].shape[0]
  if inputs.ndim != 3 or inputs.shape[2] != width:
    raise ValueError(
      f"source has shape {inputs.shape}; allowed: (b, s, {width}), as the "
      "model was made for"
    )


def check_sizes(
  model: Model,
  prompt: Int[Array, "b t"],
  length: int,
  lengths: Int[Array, "b"] | None,
  source: tuple[Array, Places] | None,
) -> None:
  """Refuses prompts that do not fit the model or each other.

  Raises:
    ValueError: prompts that are no integers, or have other axes; no prompt, or
      an empty one; a source of another batch size; more tokens than the model
      has positions; where they are known, lengths out of range and tokens out
      of the vocabulary.
  """
  _check_integers("prompt", prompt)
  if prompt.ndim != 2 or not prompt.size:
    raise ValueError(
      f"prompt has shape {prompt.shape}; allowed: (b, t), each 1 or more"
    )
  batch, size = prompt.shape
  if source is not None and source[0].shape[0] != batch:
    raise ValueError(
      f"source has {source[0].shape[0]} rows; allowed: {batch}, as many as "
      "the prompt"
    )
  inside: Any = np.ones(prompt.shape, bool)
  if lengths is not None:
    _check_lengths(lengths, batch, size)
    known = _known(lengths)
    if known is None:
      inside = None
    else:
      inside, size = np.arange(size) < known[:, None], int(known.max())
  decodes = isinstance(model, EncoderDecoder)
  # The last token is written and not read.
  _check_reach(
    f"length = {length} behind a prompt of {size} tokens",
    model.target_position if decodes else model.position,
    size + length - 1,
  )
  vocabulary = model.classes if decodes else model.vocabulary
  _check_tokens("prompt", prompt, inside, vocabulary)


def _known(value: Array) -> np.ndarray | None:
  """The numbers of an array; None while it is traced."""
  return None if isinstance(value, jax.core.Tracer) else np.asarray(value)


def _check_array(name: str, value: Any) -> None:
  if not isinstance(value, jax.Array | np.ndarray):
    raise ValueError(
      f"{name} has type {type(value).__name__}; allowed: an array"
    )


def _check_integers(name: str, value: Any) -> None:
  _check_array(name, value)
  if not jnp.issubdtype(value.dtype, jnp.integer):
    raise ValueError(f"{name} has dtype {value.dtype}; allowed: integers")


def _check_tokens(
  name: str, tokens: Array, inside: np.ndarray | None, vocabulary: int
) -> None:
  """Refuses tokens there are not, but not where nothing is `inside`."""
  known = _known(tokens)
  if known is None or inside is None:
    return
  wrong = known[(inside > 0) & ((known < 0) | (known >= vocabulary))]
  if wrong.size:
    raise ValueError(
      f"{name} has token {wrong[0]}; allowed: 0 to {vocabulary - 1}, the "
      "tokens of the vocabulary"
    )


def _check_reach(what: str, position: InputPosition, count: int) -> None:
  if position.reach is not None and count > position.reach:
    raise ValueError(
      f"{what} needs {count} positions; allowed: up to the {position.reach} of "
      f"{type(position).__name__}"
    )


def _check_lengths(lengths: Int[Array, "b"], batch: int, size: int) -> None:
  _check_integers("lengths", lengths)
  if lengths.shape != (batch,):
    raise ValueError(
      f"lengths has shape {lengths.shape}; allowed: ({batch},), one a row"
    )
  known = _known(lengths)
  if known is None:
    return
  wrong = known[(known < 1) | (known > size)]
  if wrong.size:
    raise ValueError(
      f"lengths has {wrong[0]}; allowed: 1 to {size}, the tokens of a prompt"
    )


def check_integer(
  name: str, value: Any, least: int, most: int | None, allowed: str
) -> int:
  """The value as an int, if it is an integer of any type within its limits.

  Raises:
    ValueError: names it, and says what is allowed.
  """
  try:
    number = operator.index(value)
  except TypeError:  # also of what is traced
    number = least - 1
  above = most is not None and number > most
  if isinstance(value, bool) or number < least or above:
    raise ValueError(f"{name} = {value!r}; allowed: {allowed}")
  return number


def check_token(name: str, token: Any, classes: int) -> int:
  """END or BEGIN as an int.

  Raises:
    ValueError: out of the vocabulary; names the tokens there are.
  """
  last = classes - 1
  allowed = f"a token of the vocabulary, 0 to {last}"
  return check_integer(name, token, 0, last, allowed)


def check_key(how: Way, key: RandomKey | None) -> None:
  """Refuses a key that is missing, or that nothing is drawn with.

  Raises:
    ValueError: names the way.
  """
  name = type(how).__name__
  if how.random and key is None:
    raise ValueError(f"key = None; allowed: a key, as {name} draws")
  if not how.random and key is not None:
    raise ValueError(f"key was given; allowed: None, as {name} draws nothing")
  if key is not None and not _is_key(key):
    raise ValueError(
      f"key = {key!r}; allowed: one key, as jax.random.key(0) makes it"
    )


def _is_key(key: Any) -> bool:
  """Of the new kind, or of the old one."""
  if not isinstance(key, jax.Array | np.ndarray):
    return False
  typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
  return key.ndim == 0 if typed else key.ndim == 1 and key.dtype == jnp.uint32
