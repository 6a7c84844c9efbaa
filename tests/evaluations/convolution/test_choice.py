"""The choice of a form, at its borders."""

import pytest

from research.evaluations.convolution.choice import choose


@pytest.mark.parametrize(
  ("taps", "rows", "length", "dilation", "form"),
  [
    (10, 1, 8192, 1, "direct"),
    (10, 1, 64, 50, "direct"),
    (11, 8, 64, 1, "blocked"),
    (64, 8, 64, 1, "blocked"),
    (64, 7, 64, 1, "fft"),
    (16, 1, 16, 1, "blocked"),
    (17, 1, 17, 1, "fft"),
    (65, 8, 65, 1, "fft"),
    (11, 1, 255, 1, "fft"),
    (11, 1, 256, 1, "blocked"),
    (66, 1, 256, 1, "fft"),
    (66, 1, 512, 1, "blocked"),
    (12, 1, 512, 20, "fft"),
    (4096, 1, 4096, 1, "fft"),
  ],
)
def test_the_form_that_was_measured_is_chosen(
  taps, rows, length, dilation, form
):
  assert choose(taps, rows, length, dilation) == form
