"""A convolution that shortens its sequence, as at the entrance of encoders.

Formula: y_n = β + Σ_i x_{c_n + after − i dilation} W_i, i < kernel, around the
centre c_n = n · stride + first.
Cost: O(t / stride · kernel · d²) time.
"""

import dataclasses
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from research.evaluations.convolution.dense import mix
from research.places import Places, check_places
from research.record import check_number
from research.shapes import Activations, Segments


class StridedConvolution(nn.Module):
  """Every so many-th output of a convolution, and where it stands.

  No mixer: it changes the length. An output stands where the token stands
  that its window is centred on: it has the position of that token, which is
  not divided by the stride, and its segment. Taps on other segments and on
  padding are dropped, so that segments never mix. The centres are counted
  along the row, so that a packed sequence gives the outputs that it has
  apart if it begins at a multiple of the stride; one that holds no centre has
  none.

  It has kernel · d · features / groups + features parameters.

  Attributes:
    kernel_size: the number of taps; those before the centre are as many as
      those behind it, or one less.
    stride: tokens from one output to the next.
    padding: "same" has its first centre on the first token, and ⌈t / stride⌉
      outputs. "valid" has only outputs whose windows lie in the row, and the
      others that are not whole, because a segment ends, are padding.
    dilation: tokens from one tap to the next.
    groups: of channels that see each other; divides the width and the
      features.
    features: the width of the outputs; 0 for that of the inputs.
  """

  kernel_size: int = 3
  stride: int = 2
  padding: Literal["same", "valid"] = "same"
  dilation: int = 1
  groups: int = 1
  features: int = 0

  def __post_init__(self) -> None:
    for name in ("kernel_size", "stride", "dilation", "groups"):
      check_number(self, name, 1)
    check_number(self, "features", 0)
    if self.padding not in ("same", "valid"):
      raise ValueError(f"padding = {self.padding!r}; allowed: 'same', 'valid'")
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: Activations, places: Places
  ) -> tuple[Float[Array, "b a o"], Places]:
    """The shorter sequence, zero on padding, and its places.

    Raises:
      ValueError: groups that do not divide the widths; a kernel wider than
        the row without padding; the edges of a graph, which it cannot
        shorten.
    """
    check_places(x, places)
    self._check(x, places)
    width, out = x.shape[-1], self.features or x.shape[-1]
    shape = (self.kernel_size, width // self.groups, out)
    filters = self.param("filter", nn.initializers.lecun_normal(), shape)
    bias = self.param("bias", nn.initializers.zeros_init(), (out,))
    centres = self._centres(x.shape[1])
    y = mix(
      x,
      filters,
      places.segments,
      ahead=self._around()[1],
      dilation=self.dilation,
      centres=centres,
    )
    segments = places.segments[:, centres]
    if self.padding == "valid":
      segments = jnp.where(self._whole(places.segments), segments, 0)
    y = y + bias.astype(y.dtype)[None, None, :]
    y = jnp.where((segments > 0)[..., None], y, 0)
    return y, dataclasses.replace(
      places, positions=places.positions[:, centres], segments=segments
    )

  def _around(self) -> tuple[int, int]:
    """How far the window reaches before its centre, and behind it."""
    before = (self.kernel_size - 1) // 2
    after = self.kernel_size - 1 - before
    return before * self.dilation, after * self.dilation

  def _centres(self, length: int) -> slice:
    before, after = self._around()
    if self.padding == "same":
      return slice(0, length, self.stride)
    return slice(before, length - after, self.stride)

  def _whole(self, segments: Segments) -> Bool[Array, "b a"]:
    """Whether the window of every centre lies in one segment."""
    before, after = self._around()
    count = segments.shape[1] - before - after
    own = segments[:, before : before + count]
    first, last = segments[:, :count], segments[:, before + after :]
    return ((first == own) & (last == own))[:, :: self.stride]

  def _check(self, x: Activations, places: Places) -> None:
    width, reach = x.shape[-1], sum(self._around()) + 1
    if places.edges is not None:
      raise ValueError(
        "places.edges was given to StridedConvolution; allowed: None, as the "
        "edges of a graph cannot be shortened"
      )
    if self.padding == "valid" and reach > x.shape[1]:
      raise ValueError(
        f"kernel_size = {self.kernel_size} reaches over {reach} tokens with "
        f"dilation = {self.dilation}; allowed: up to the sequence length "
        f"{x.shape[1]} with padding = 'valid'"
      )
    for name, value in (("width", width), ("features", self.features)):
      if value % self.groups:
        raise ValueError(
          f"groups = {self.groups} does not divide {name} {value}; allowed: a "
          "divisor of both widths"
        )
