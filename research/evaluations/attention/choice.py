"""Which form of attention is taken, and why the others are not."""

from typing import Literal, NamedTuple, get_args

import jax

from research.evaluations.attention.library import LIBRARIES, Library
from research.evaluations.attention.modifications import kept
from research.evaluations.attention.rules import Parts
from research.heads.independent import Independent
from research.normalizers.softmax import Softmax
from research.positions.base import ScorePosition
from research.scores.base import scale_of

Form = Literal["dense", "blockwise", Library]
Evaluation = Literal["auto", Form]

_LENGTHS = {"cpu": 256}
"""From so many queries and keys on blocks were measured to be faster than all
scores at once, forward and backward (`mixerlab bench attention`)."""

_OTHERWISE = 4096
"""Where nothing was measured: from here on all scores at once take too much
memory."""


_COUNTED = "heads and lengths that are numbers"


class Choice(NamedTuple):
  """A form, and what was decisive."""

  form: Form
  why: str


def choose(
  evaluation: Evaluation,
  parts: Parts,
  queries: int,
  keys: int,
  *,
  heads: int = 1,
  edges: bool = False,
) -> Choice:
  """The form for a number of queries, keys and heads.

  Args:
    evaluation: what was asked for.
    parts: the unbound modules and functions of the layer.
    queries: t.
    keys: s.
    heads: h.
    edges: whether the batch is a graph.

  Raises:
    ValueError: a form was asked for that a part does not allow; it is named.
  """
  if evaluation != "auto":
    check_form(evaluation, parts)
    if edges and evaluation == "blockwise":
      raise ValueError(
        "evaluation = 'blockwise' with places.edges; allowed: 'dense' or "
        "'auto', as the edges of a graph are an array of all pairs"
      )
    if evaluation == "blockwise" and not _counted(queries, keys, heads):
      raise ValueError(
        f"evaluation = 'blockwise' with {queries} queries of {heads} heads and "
        f"{keys} keys; allowed: 'dense' or 'auto', as blocks need {_COUNTED}"
      )
    return Choice(evaluation, "it was asked for")
  if edges:
    return Choice("dense", "the edges of a graph are an array of all pairs")
  reason = obstacle("blockwise", parts)
  if reason is not None:
    return Choice("dense", reason)
  if not _counted(queries, keys, heads):
    return Choice("dense", f"blocks need {_COUNTED}")
  backend = jax.default_backend()
  enough = _LENGTHS.get(backend, _OTHERWISE)
  form: Form = "dense" if min(queries, keys) < enough else "blockwise"
  return Choice(
    form,
    f"{queries} queries and {keys} keys: from {enough} of both on, blocks are "
    f"taken on a {backend}",
  )


def _counted(*sizes: int) -> bool:
  """Whether sizes are known, and not variables of `jax.export`."""
  return all(isinstance(size, int) for size in sizes)


def check_form(evaluation: Form, parts: Parts) -> None:
  """Refuses a form that a part does not allow.

  Raises:
    ValueError: names the part, and the forms that it allows.
  """
  reason = obstacle(evaluation, parts)
  if reason is None:
    return
  able = [form for form in get_args(Form) if obstacle(form, parts) is None]
  raise ValueError(
    f"evaluation = {evaluation!r}, but {reason}; allowed: 'auto', "
    + ", ".join(map(repr, able))
  )


def obstacle(form: str, parts: Parts) -> str | None:
  """Why parts cannot be evaluated in a form; None if they can."""
  if form == "blockwise":
    return _unblockable(parts)
  if form in LIBRARIES:
    return _unknown_to_libraries(parts)
  return None


def _unblockable(parts: Parts) -> str | None:
  for name in ("normalizer", "position"):
    part = getattr(parts, name)
    if not part.blockable:
      return f"{name} = {type(part).__name__} needs whole rows of scores"
  return None


def heads_apart(parts: Parts) -> bool:
  """Whether some heads may be taken at a time, as no part knows them all."""
  if jax.default_backend() != "cpu":  # where nothing was measured
    return False
  return all(_plain(parts).values())


def _plain(parts: Parts) -> dict[str, bool]:
  """Which modules are those of a softmax of scaled products."""
  position = type(parts.position)
  return {
    "score": scale_of(parts.score, 1) is not None,
    "normalizer": type(parts.normalizer) is Softmax,
    "position": position.bias is ScorePosition.bias
    and position.values is ScorePosition.values,
    "joint": type(parts.joint) is Independent,
  }


def _unknown_to_libraries(parts: Parts) -> str | None:
  """The first part that is no softmax of scaled products."""
  known = _plain(parts)
  known["normalizer"] = known["normalizer"] and not parts.normalizer.cap
  known |= {
    "score_mod": parts.score_mod is kept,
    "weight_mod": parts.weight_mod is kept,
  }
  for name, is_known in known.items():
    if not is_known:
      part = getattr(parts, name)
      title = getattr(part, "__name__", type(part).__name__)
      return f"{name} = {title} is no part of the library's attention"
  return None
