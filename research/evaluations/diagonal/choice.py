"""Which form of a diagonal recurrence is taken."""

import jax

from research.evaluations.diagonal.base import Evaluation, Form
from research.record import check_literal

# Milliseconds forwards and backwards of serial, associative and chunked, the
# least of interleaved runs on 2 cores, for [b t n] and decays
#                                 of every token      constant
#   real     [8 64 64]          0.05  0.09  0.10   0.05  0.09  0.14
#   real     [8 1024 64]        0.85  2.2   1.9    0.69  2.1   1.8
#   real     [1 8192 64]        1.4   2.7   1.6    1.2   2.6   1.6
#   real     [1 1024 1024]      2.8   10    4.8    1.4   7.0   4.3
#   real     [1 8192 1024]      384   820   548
#   complex  [8 64 64]          0.09  0.21  0.18   0.08  0.21  0.20
#   complex  [8 1024 64]        8.2   49    24     2.6   38    19
#   complex  [1 8192 64]        2.4   59    7.6    1.7   8.8   5.4
#   complex  [1 1024 1024]                         9.9   172   114
# and of Mamba's layer (b = 8, t = 256, d = 64) 44, 164 and 264. Unrolled by 4,
# the serial form takes 1.3 to 2 times as long.
_FORMS: dict[str, Form] = {"cpu": "serial"}
"""The fastest form of a backend at every length, as it was measured."""

_OTHERWISE: Form = "associative"
"""On GPU and TPU, not measured: the fewest steps one after the other."""


def choose(form: Evaluation, length: int, backend: str | None = None) -> Form:
  """The form for a number of tokens.

  Args:
    form: what was asked for.
    length: t.
    backend: "cpu", "gpu", "tpu"; None for the one in use.

  Raises:
    ValueError: no such form.
  """
  check_literal("form", form, Evaluation)
  if form != "auto":
    return form
  if length == 1:
    return "serial"
  return _FORMS.get(backend or jax.default_backend(), _OTHERWISE)
