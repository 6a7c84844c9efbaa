"""What recurrences with a diagonal state matrix share.

The way through a sequence, the state of a stream, the discretisation of
continuous time, and how parameters begin.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, Literal, get_type_hints

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact

from research.evaluations.diagonal.base import (
  Evaluation,
  Make,
  Read,
  State,
  begin,
)
from research.evaluations.diagonal.scan import diagonal, expanded
from research.mixer import Mixer, Source, dense, enter, leave
from research.places import Places, gather
from research.record import check_choice
from research.shapes import Activations, Asked, RandomKey, Segments, lacks
from research.stream import carried, carry

Discretization = Literal["zoh", "bilinear"]
"""The input is held between tokens, or the trapezoidal rule is taken."""

_TERMS = 10
"""Of the series of (exp(z) − 1) / z; the next one is below 3e-8 for |z| < 1."""


class DiagonalRecurrence(Mixer):
  """A recurrence in which every number of the state decays by itself. Abstract.

  Attributes:
    form: how it is evaluated, with equal values and gradients; "auto" is the
      fastest one measured on CPU, and on other backends, where none was
      measured, the one of the fewest steps in turn.
    reverse: from right to left, which is not causal.
  """

  form: Evaluation = "auto"
  reverse: bool = False

  def __post_init__(self) -> None:
    # A variant may have more forms than there are ways of a recurrence.
    check_choice(self, "form", get_type_hints(type(self))["form"])
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return not self.reverse

  @nn.compact
  def __call__(
    self,
    x: Activations,
    places: Places,
    *,
    source: Source | None = None,
    at: Asked | None = None,
    deterministic: bool = True,
  ) -> Float[Array, "b a d"]:
    streams = enter(self, x, places, source)
    y = gather(self._mix(x, places.segments, streams), at)
    y = self._finish(y.astype(x.dtype), gather(x, at))
    return leave(y, places, at, gathered=True)

  def _mix(
    self, x: Activations, segments: Segments, streams: bool
  ) -> Float[Array, "b t n"]:
    """What the recurrence of the variant reads from its states."""
    raise NotImplementedError(lacks(self, "_mix"))

  def _scan(self) -> Evaluation:
    """The form of the recurrence itself."""
    return self.form

  def _finish(
    self, y: Float[Array, "b a n"], x: Float[Array, "b a d"]
  ) -> Float[Array, "b a d"]:
    """GELU, and a gated linear unit: W₁ y ⊙ σ(W₂ y)."""
    y = dense(2 * x.shape[-1], nn.gelu(y, approximate=False), "out", bias=True)
    return nn.glu(y)

  def _states(
    self,
    a: Inexact[Array, "..."],
    x: Inexact[Array, "b t n"],
    segments: Segments,
    streams: bool,
  ) -> Inexact[Array, "b t n"]:
    """h_t = a_t ⊙ h_{t−1} + x_t, of states that are no wider than tokens."""
    kind = jnp.promote_types(jnp.result_type(a, x), jnp.float32)
    hidden = jnp.zeros_like(x[:, 0], kind)
    start = State(hidden, jnp.zeros_like(segments[:, 0]))
    run = functools.partial(diagonal, a, x, segments)
    return self._carry(run, start, streams)

  def _outputs(
    self, tokens: Any, segments: Segments, make: Make, read: Read, streams: bool
  ) -> Float[Array, "b t n"]:
    """What is read from wider states, which are never held together."""
    start = begin(make, tokens, segments)
    run = functools.partial(expanded, tokens, segments, make, read)
    return self._carry(run, start, streams)

  def _carry(
    self,
    run: Callable[..., tuple[Array, State]],
    start: State,
    streams: bool,
  ) -> Array:
    """What `run` gives out, from the cache to the cache in a stream."""
    state = self._kept(start) if streams else start
    y, state = run(form=self._scan(), state=state, reverse=self.reverse)
    if streams:
      carry(self, _leaves(state))
    return y

  def _kept(self, start: State) -> State:
    """The state of the stream; a cache holds real numbers alone."""
    kept = carried(self, _leaves(start))
    if "hidden" in kept:
      return State(kept["hidden"], kept["segment"])
    hidden = jax.lax.complex(kept["hidden_real"], kept["hidden_imaginary"])
    return State(hidden, kept["segment"])


def _leaves(state: State) -> dict[str, Array]:
  """The leaves of a state as the cache names them."""
  if not jnp.iscomplexobj(state.hidden):
    return state._asdict()
  return {
    "hidden_real": jnp.real(state.hidden),
    "hidden_imaginary": jnp.imag(state.hidden),
    "segment": state.segment,
  }


def complex_parameter(
  module: nn.Module, name: str, init: Callable[[RandomKey], Array]
) -> Complex[Array, "..."]:
  """A complex parameter, kept as its real and imaginary part, [... 2]."""

  def parts(key: RandomKey) -> Array:
    value = init(key)
    return jnp.stack([jnp.real(value), jnp.imag(value)], axis=-1)

  pair = module.param(name, parts)
  return jax.lax.complex(pair[..., 0], pair[..., 1])


def check_steps(least: float, most: float) -> None:
  """Refuses limits of Δ that are not 0 < least < most, with a ValueError."""
  if not 0 < least < most < math.inf:
    raise ValueError(
      f"least_step = {least}, most_step = {most}; allowed: 0 < least_step < "
      "most_step, both finite"
    )


def discretize(
  rate: Complex[Array, "..."],
  step: Float[Array, "..."],
  rule: Discretization = "zoh",
) -> tuple[Complex[Array, "..."], Complex[Array, "..."]]:
  """h' = λ h + u in steps of Δ: h_t = a h_{t−1} + c u_t.

  With z = Δ λ, "zoh": a = exp(z), c = (exp(z) − 1) / λ; "bilinear":
  a = (1 + z/2) / (1 − z/2), c = Δ / (1 − z/2).

  Args:
    rate: λ, with a negative real part.
    step: Δ.
    rule: how.

  Returns:
    log a and c. A slow decay has no digits left in a itself, so they are
    never taken from it.
  """
  z = step * rate
  if rule == "zoh":
    return z, step * _held(z)
  ahead, back = 1 + z / 2, 1 - z / 2
  squared = jnp.real(back) ** 2 + jnp.imag(back) ** 2
  size = jnp.log1p(2 * jnp.real(z) / squared) / 2
  turn = jnp.angle(ahead) - jnp.angle(back)
  return jax.lax.complex(size, turn), step / back


def _held(z: Complex[Array, "..."]) -> Complex[Array, "..."]:
  """(exp(z) − 1) / z, by its series where the gradient would lose digits."""
  near = jnp.real(z) ** 2 + jnp.imag(z) ** 2 < 1
  small, large = jnp.where(near, z, 0), jnp.where(near, 1, z)
  series = jnp.zeros_like(z)
  for order in range(_TERMS, 0, -1):
    series = 1 / math.factorial(order) + small * series
  return jnp.where(near, series, (jnp.exp(large) - 1) / large)


def lift(
  x: Activations, kernel: Complex[Array, "n d"]
) -> Complex[Array, "b t n"]:
  """B x for a complex B: two real products, summed in float32."""
  parts = jnp.concatenate([jnp.real(kernel), jnp.imag(kernel)])
  y = jnp.einsum(
    "btd,nd->btn",
    x,
    parts.astype(x.dtype),
    preferred_element_type=jnp.float32,
  )
  return jax.lax.complex(*jnp.split(y, 2, axis=-1))


def lower(
  h: Complex[Array, "b t n"], kernel: Complex[Array, "d n"]
) -> Float[Array, "b t d"]:
  """Re C h, in float32."""
  parts = jnp.concatenate([jnp.real(h), jnp.imag(h)], axis=-1)
  kernels = jnp.concatenate([jnp.real(kernel), -jnp.imag(kernel)], axis=-1)
  return jnp.einsum("btn,dn->btd", parts, kernels)
