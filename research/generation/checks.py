"""What is refused before anything is computed, by name."""

import jax
import numpy as np
from jaxtyping import Array, Int

from research.generation.base import Way
from research.models.model import EncoderDecoder, Model
from research.places import Places
from research.shapes import RandomKey


def check_model(model: Model, how: Way, given: bool) -> None:
  """Refuses a model that does not write, or not in this way.

  Args:
    model: that is to write.
    how: the way.
    given: whether there is a source.

  Raises:
    ValueError: a source that is missing, or that nothing reads; vectors;
      pooling; outputs that are no inputs; a cache without a causal model;
      what the way refuses.
  """
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


def check_sizes(
  model: Model,
  prompt: Int[Array, "b t"],
  length: int,
  lengths: Int[Array, "b"] | None,
  source: tuple[Array, Places] | None,
) -> None:
  """Refuses prompts that do not fit the model or each other.

  Raises:
    ValueError: nothing to write; an empty prompt; a source of another batch
      size; lengths out of range, where they are known; more tokens than the
      model has positions.
  """
  batch, size = prompt.shape
  if type(length) is not int or length < 1:
    raise ValueError(f"length = {length!r}; allowed: an integer, 1 or more")
  if size < 1:
    raise ValueError(
      f"prompt has shape {prompt.shape}; allowed: (b, t) with t = 1 or more"
    )
  if source is not None and source[0].shape[0] != batch:
    raise ValueError(
      f"source has {source[0].shape[0]} rows; allowed: {batch}, as many as "
      "the prompt"
    )
  if lengths is not None:
    _check_lengths(lengths, batch, size)
  decodes = isinstance(model, EncoderDecoder)
  position = model.target_position if decodes else model.position
  read = size + length - 1  # the last token is written and not read
  if position.reach is not None and read > position.reach:
    raise ValueError(
      f"length = {length} behind a prompt of {size} tokens needs {read} "
      f"positions; allowed: up to the {position.reach} of "
      f"{type(position).__name__}"
    )


def _check_lengths(lengths: Int[Array, "b"], batch: int, size: int) -> None:
  if lengths.shape != (batch,):
    raise ValueError(
      f"lengths has shape {lengths.shape}; allowed: ({batch},), one a row"
    )
  if isinstance(lengths, jax.core.Tracer):
    return
  known = np.asarray(lengths)
  wrong = known[(known < 1) | (known > size)]
  if wrong.size:
    raise ValueError(
      f"lengths has {wrong[0]}; allowed: 1 to {size}, the tokens of a prompt"
    )


def check_token(name: str, token: int | None, classes: int) -> None:
  """Refuses END or BEGIN out of the vocabulary.

  Raises:
    ValueError: names it, and the tokens there are.
  """
  if token is None or (type(token) is int and 0 <= token < classes):
    return
  raise ValueError(
    f"{name} = {token!r}; allowed: a token of the vocabulary, 0 to "
    f"{classes - 1}"
  )


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
