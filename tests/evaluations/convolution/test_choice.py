"""The choice of a form, at its borders."""

import pytest

from research.evaluations.convolution.choice import choose


@pytest.mark.parametrize(
  ("taps", "length", "dilation", "form"),
  [
    (10, 8192, 1, "direct"),
    (10, 64, 50, "direct"),
    (11, 64, 1, "blocked"),
    (64, 64, 1, "blocked"),
    (65, 65, 1, "fft"),
    (11, 255, 1, "fft"),
    (11, 256, 1, "blocked"),
    (66, 256, 1, "fft"),
    (66, 512, 1, "blocked"),
    (12, 512, 20, "fft"),
    (4096, 4096, 1, "fft"),
  ],
)
def test_the_form_that_was_measured_is_chosen(taps, length, dilation, form):
  assert choose(taps, length, dilation) == form
