"""What all ways to write have in common."""

import dataclasses
from typing import NamedTuple

from jaxtyping import Array, Float, Int

from research.generation.writer import Writer
from research.shapes import RandomKey, lacks


class Generated(NamedTuple):
  """What was written behind the prompts.

  Attributes:
    tokens: Int[b n]. Behind the first END there are only ENDs.
    lengths: Int[b], the tokens before END; n without one.
    scores: Float[b], the log probability of all this in nats, that of END
      included, as the model gives it: no temperature, no filter.
  """

  tokens: Int[Array, "b n"]
  lengths: Int[Array, "b"]
  scores: Float[Array, "b"]


@dataclasses.dataclass(frozen=True)
class Request:
  """What is to be written.

  Attributes:
    prompt: Int[b t], padded on the right.
    lengths: Int[b], the tokens of each prompt, 1 or more.
    length: n, the most tokens to be written.
    end: END, behind which nothing is written; None for none.
    key: of what is drawn; None where nothing is.
  """

  prompt: Int[Array, "b t"]
  lengths: Int[Array, "b"]
  length: int
  end: int | None = None
  key: RandomKey | None = None

  @property
  def batch(self) -> int:
    """b."""
    return self.prompt.shape[0]

  @property
  def room(self) -> int:
    """The most tokens that are read: the last one written never is."""
    return self.prompt.shape[1] + self.length - 1

  @property
  def fill(self) -> int:
    """What stands where nothing was written."""
    return 0 if self.end is None else self.end


@dataclasses.dataclass(frozen=True)
class Way:
  """How the next token is chosen: a frozen record. Abstract."""

  @property
  def random(self) -> bool:
    """Whether it draws, and needs a key."""
    return False

  @property
  def streams(self) -> bool:
    """Whether it goes on with a cache, which takes a causal model."""
    return True

  def check(self, classes: int) -> None:
    """Refuses, with a ValueError, a number of classes that does not fit."""

  def write(self, writer: Writer, request: Request) -> Generated:
    """Writes what is asked for: pure, of static shapes."""
    raise NotImplementedError(lacks(self, "write"))
