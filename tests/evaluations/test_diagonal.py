"""Diagonal recurrences in all forms against a loop in float64."""

from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.diagonal.base import Form, State
from research.evaluations.diagonal.choice import choose
from research.evaluations.diagonal.scan import diagonal
from tests.tolerance import assert_close

B, T, N = 3, 23, 4
FORMS = get_args(Form)
SEGMENTS = np.ones((B, T), np.int32)
SEGMENTS[1] = np.repeat([4, 2, 3, 2, 5], [1, 7, 2, 9, 4])
SEGMENTS[2] = np.repeat([0, 2, 0, 2, 0, 1, 0], [3, 5, 2, 4, 2, 6, 1])
LAST = {False: (1, 5, 1), True: (1, 4, 2)}
"""The segment that each row ends in, read forwards or in reverse."""

generator = np.random.default_rng(5)


def numbers(*shape: int) -> np.ndarray:
  pair = generator.normal(size=(2, *shape)).astype(np.float32)
  return pair[0] + np.complex64(1j) * pair[1]


X, SEED, END = numbers(B, T, N), numbers(B, T, N), numbers(B, N)
SIZE = np.array([0.0, 1.0, 0.9, 1e-30], np.float32)
"""|a| of the numbers of a state: forgets, keeps, fades, underflows."""
CONSTANT = (SIZE * np.exp(1j * np.arange(N))).astype(np.complex64)
TOKENS = SIZE * np.exp(1j * generator.normal(size=(B, T, N)))
TOKENS = TOKENS.astype(np.complex64)


def loop(a: Any, x: Any, reverse: bool) -> tuple[np.ndarray, ...]:
  """h after each token, the last h, and h before each token, in float64."""
  x = np.asarray(x, np.complex128)
  a = np.broadcast_to(np.asarray(a, np.complex128), x.shape)
  after, before = np.zeros_like(x), np.zeros_like(x)
  ends = np.zeros((B, N), complex)
  for row in range(B):
    last = 0
    for t in reversed(range(T)) if reverse else range(T):
      number = SEGMENTS[row, t]
      if number:
        before[row, t] = ends[row] if number == last else 0
        ends[row] = a[row, t] * before[row, t] + x[row, t]
        last = number
      after[row, t] = ends[row]
  return after, ends, before


def reference(
  a: Any, x: Any, seed: Any, end: Any, reverse: bool
) -> tuple[Any, Any]:
  """(h, its last state), and Σ seed · h + Σ end · last derived by (a, x)."""
  h, last, before = loop(a, x, reverse)
  to_x = np.zeros(h.shape, complex)
  for t in range(T):
    impulse = np.zeros(h.shape)
    impulse[:, t] = 1
    answer, final, _ = loop(a, impulse, reverse)
    to_x[:, t] = np.sum(seed * answer, axis=1) + end * final
  to_a = to_x * before
  return (h, last), (to_a.sum((0, 1)) if np.ndim(a) == 1 else to_a, to_x)


def parts(tree: Any) -> Any:
  """Complex arrays as pairs of real ones."""
  return jax.tree.map(lambda z: (np.real(z), np.imag(z)), tree)


CASES = [(CONSTANT, False), (CONSTANT, True), (TOKENS, False), (TOKENS, True)]


@pytest.mark.parametrize("kind", [np.complex64, np.float32])
@pytest.mark.parametrize("form", FORMS)
def test_all_forms_agree_with_float64(form, kind):
  def cast(z: Any) -> Any:
    return z if kind == np.complex64 else z.real

  cases = CASES if kind == np.complex64 else CASES[:1] + CASES[3:]

  @jax.jit
  def run() -> Any:
    results = []
    for a, reverse in cases:

      def call(a: Any, x: Any, reverse: Any = reverse) -> Any:
        h, state = diagonal(
          a, x, jnp.asarray(SEGMENTS), form=form, reverse=reverse
        )
        return (h, state.hidden), state.segment

      y, back, segment = jax.vjp(call, cast(a), cast(X), has_aux=True)
      results.append((y, back((cast(SEED), cast(END))), segment))
    return results

  found = run()
  for (a, reverse), (y, gradients, segment) in zip(cases, found, strict=True):
    wanted = reference(cast(a), cast(X), cast(SEED), cast(END), reverse)
    assert jax.tree.leaves(y)[0].dtype == kind
    level = {"level": "core", "length": T}
    assert_close(parts(y), parts(wanted[0]), **level)
    assert_close(parts(gradients), parts(wanted[1]), **level, gradient=True)
    assert tuple(segment.tolist()) == LAST[reverse]


@pytest.mark.parametrize(
  ("form", "cuts"), [*zip(FORMS, [(5, 13), (3, 11, 15), (1, 2)], strict=True)]
)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_continued_state_is_the_whole(form, cuts, reverse):
  state = State(jnp.zeros((B, N), jnp.complex64), jnp.zeros((B,), jnp.int32))
  pieces = []
  pairs = list(zip((0, *cuts), (*cuts, T), strict=True))
  for start, stop in reversed(pairs) if reverse else pairs:
    new = (jnp.asarray(v[:, start:stop]) for v in (TOKENS, X, SEGMENTS))
    h, state = diagonal(*new, form=form, state=state, reverse=reverse)
    pieces.append(h)
  wanted, last, _ = loop(TOKENS, X, reverse)
  h = jnp.concatenate(pieces[::-1] if reverse else pieces, axis=1)
  assert_close(parts(h), parts(wanted), level="core")
  assert_close(parts(state.hidden), parts(last), level="core")
  assert tuple(state.segment.tolist()) == LAST[reverse]


@pytest.mark.parametrize("form", FORMS)
def test_padding_leaves_the_state_as_it_is(form):
  state = State(jnp.asarray(X[:, 0]), jnp.array([1, 2, 3]))
  poison = jnp.full((B, 6, N), jnp.nan, jnp.complex64)
  _, after = diagonal(
    poison, poison, jnp.zeros((B, 6), int), form=form, state=state
  )
  jax.tree.map(np.testing.assert_array_equal, after, state)


@pytest.mark.parametrize("form", FORMS)
def test_no_slope_goes_through_padding(form):
  """Whatever stands there: NaN in both inputs."""
  ill = np.where(SEGMENTS[..., None] > 0, 0, np.nan)

  def total(a: Any, x: Any) -> Any:
    h, state = diagonal(a, x, jnp.asarray(SEGMENTS), form=form)
    return jnp.sum(h) + jnp.sum(state.hidden)

  slopes = jax.jit(jax.grad(total, argnums=(0, 1)))
  inputs = TOKENS.real, X.real
  found = slopes(*(jnp.asarray(v + ill, jnp.float32) for v in inputs))
  wanted = slopes(*(jnp.asarray(v, jnp.float32) for v in inputs))
  jax.tree.map(np.testing.assert_array_equal, found, wanted)


@pytest.mark.parametrize("form", FORMS)
def test_the_state_is_float32_under_bfloat16(form):
  a, x = jnp.full((B, T, N), 0.99, jnp.bfloat16), jnp.asarray(X.real)
  x = x.astype(jnp.bfloat16)
  h, state = diagonal(a, x, jnp.asarray(SEGMENTS), form=form)
  assert h.dtype == state.hidden.dtype == jnp.float32
  exact = (np.asarray(v, np.float64) for v in (a, x))
  assert_close(h, loop(*exact, False)[0].real, level="core")


def test_what_is_infinite_ends_with_its_segment():
  x = np.where(SEGMENTS[..., None] == 3, np.inf, X.real)
  h, _ = diagonal(*map(jnp.asarray, (TOKENS.real, x, SEGMENTS)), form="serial")
  ill = SEGMENTS[1] == 3
  assert not np.isfinite(h[1, ill]).any() and np.isfinite(h[1, ~ill]).all()


def test_auto_is_what_was_measured_and_serial_for_a_single_token():
  for length in (64, 512, 8192):
    assert choose("auto", length, "cpu") == "serial"
    assert choose("auto", length, "gpu") == "associative"
    assert choose("chunked", length) == "chunked"
  assert choose("auto", 1, "gpu") == "serial"


@pytest.mark.usefixtures("unchecked")
def test_other_forms_are_refused():
  segments = jnp.asarray(SEGMENTS)
  with pytest.raises(ValueError, match="form = 'fft'; allowed: 'auto', 's"):
    diagonal(CONSTANT, X, segments, form="fft")
