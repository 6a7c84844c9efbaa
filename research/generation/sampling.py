"""Sampling: the next token is drawn."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from research.generation.base import Generated, Request, Way
from research.generation.filters import most_likely, nucleus
from research.generation.loop import one_by_one
from research.generation.writer import Writer
from research.record import check_number, check_positive, check_real

_FLOAT = jnp.finfo(jnp.float32)


@dataclasses.dataclass(frozen=True)
class Sampling(Way):
  """Draws from softmax(logits / temperature), of which filters keep a part.

  What a row gets depends on the key and the number of the row, and not on the
  other rows. Cost: that of a greedy step, and a sort of the logits.

  Attributes:
    temperature: above 0, a number of float32; below 1 what is likely becomes
      likelier.
    top_k: so many tokens may be drawn, the most likely ones (Fan 2018); 0 for
      all.
    top_p: of these, the fewest whose probabilities add up to so much or more
      (Holtzman 2020); 1 for all.
  """

  temperature: float = 1.0
  top_k: int = 0
  top_p: float = 1.0

  def __post_init__(self) -> None:
    check_positive(self, "temperature")
    least, most = float(_FLOAT.tiny), float(_FLOAT.max)
    if not least <= self.temperature <= most:
      raise ValueError(
        f"temperature = {self.temperature}; allowed: {least:.2g} to "
        f"{most:.2g}, as float32 has them"
      )
    check_number(self, "top_k", 0)
    check_real(self, "top_p", lambda p: 0.0 < p <= 1.0, "above 0, to 1")

  @property
  def random(self) -> bool:
    return True

  def check(self, classes: int) -> None:
    check_number(self, "top_k", 0, classes, "for so many classes")

  def logits(self, logits: Float[Array, "b c"]) -> Float[Array, "b c"]:
    """Those of the distribution that is drawn from."""
    # The largest is 0, so that nothing overflows but to −∞.
    top = jnp.max(logits, axis=-1, keepdims=True)
    logits = (logits - top) / self.temperature
    if self.top_k:
      logits = most_likely(logits, self.top_k)
    return nucleus(logits, self.top_p) if self.top_p < 1 else logits

  def write(self, writer: Writer, request: Request) -> Generated:
    assert request.key is not None
    numbers = jnp.arange(request.batch)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(request.key, numbers)

    def draw(
      logits: Float[Array, "b c"], count: Int[Array, ""]
    ) -> Int[Array, "b"]:
      now = jax.vmap(jax.random.fold_in, (0, None))(keys, count)
      return jax.vmap(jax.random.categorical)(now, self.logits(logits))

    writer, logits, cache = writer.prefill(
      request.prompt, request.lengths, request.room
    )
    return one_by_one(writer.step, logits, cache, request, draw)
