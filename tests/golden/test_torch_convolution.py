"""Convolutions against torch, value and gradient.

The first of our taps is on the latest token, torch's on the earliest.
"""

import jax
import pytest

from research.convolution.plain import Convolution
from research.places import whole
from tests.golden.reading import Inputs, check

FILES = {
  "conv_causal": Convolution(kernel_size=3),
  "conv_grouped": Convolution(kernel_size=3, groups=2),
  "conv_dilated": Convolution(kernel_size=3, groups=4, dilation=2),
  "conv_centred": Convolution(kernel_size=5, centred=True),
}


@pytest.mark.parametrize("name", FILES)
def test_it_agrees_with_torch(name):
  def function(inputs: Inputs) -> jax.Array:
    filters = inputs["weight"].transpose(2, 1, 0)[::-1]
    params = {"params": {"filter": filters, "bias": inputs["bias"]}}
    return FILES[name].apply(params, inputs["x"], whole(inputs["x"]))

  check(name, function)
