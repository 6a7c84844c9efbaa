"""The short causal convolution in front of other mixers, with its stream.

Formula: y_t = β + Σ_i w_i ⊙ x_{t−i}, i < taps, each channel with its own.
Cost: O(t · taps) time; a stream carries (taps − 1) numbers a channel.
"""

import flax.linen as nn
from jaxtyping import Array, Float

from research.evaluations.convolution.depthwise import convolve
from research.initializers import uniform
from research.places import gather
from research.shapes import Segments
from research.stream import history, streaming


def short_convolution(
  module: nn.Module,
  x: Float[Array, "b t w"],
  segments: Segments,
  taps: int,
  *,
  bias: bool = True,
  reverse: bool = False,
) -> Float[Array, "b t w"]:
  """`x` convolved, in its dtype; called by a module's compact method.

  The parameters `filter` and `filter_bias` are the module's, uniform within
  ±1/√taps at the start, as PyTorch's are. So is the stream in its cache.

  Args:
    module: what owns all this.
    x: what is convolved.
    segments: Int[b t]; taps on another segment, or on padding, are dropped.
    taps: the number of them.
    bias: whether a number of each channel is added.
    reverse: taps on later tokens instead of earlier ones.
  """
  width, init = x.shape[-1], uniform(taps**-0.5)
  filters = module.param("filter", init, (taps, width))
  index, ahead = None, 0
  if streaming(module):
    joined, segments, index = history(module, {"inputs": x}, segments, taps - 1)
    x = joined["inputs"]
  if reverse:
    filters, ahead = filters[::-1], taps - 1
  y = gather(convolve(x, filters, segments, ahead=ahead), index)
  if bias:
    add = module.param("filter_bias", init, (width,))
    y = y + add.astype(y.dtype)[None, None, :]
  return y
