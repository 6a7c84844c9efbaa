"""The schedule, who decays, and rates that are traced."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from research.training.optimizer import optimizer, schedule
from research.training.record import Training
from tests.tolerance import assert_close

PARAMETERS = {
  "layer": {"kernel": jnp.array([[1.0, -2.0]]), "bias": jnp.array([3.0])},
  "norm": {"scale": jnp.array([4.0])},
  "embed": {"embedding": jnp.array([[5.0]])},
}
GRADIENTS = jax.tree.map(lambda leaf: 0.5 * leaf + 1.0, PARAMETERS)


def curve(training, steps):
  return np.array([schedule(training)(jnp.int32(step)) for step in steps])


def test_the_rate_rises_to_its_peak_and_stays():
  training = Training(warmup=4)
  expected = [0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0]
  steps = [0, 1, 2, 3, 4, 5, 999]
  np.testing.assert_allclose(curve(training, steps), expected, rtol=1e-6)
  assert curve(Training(warmup=0), [0]) == 1.0


def test_the_rate_falls_along_half_a_cosine_to_zero():
  training = Training(steps=14, warmup=4, schedule="cosine")
  expected = [0.2, 0.8, 1.0, 0.5 + 0.5 * math.cos(0.1 * math.pi), 0.5, 0.0]
  steps = [0, 3, 4, 5, 9, 14]
  found = curve(training, steps)
  np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_the_rate_falls_with_the_root_of_the_steps():
  """Up to a factor Vaswani's min(s^−½, s · w^−3⁄2), s counted from 1."""
  training = Training(warmup=3, schedule="inverse_sqrt")
  steps = np.array([0, 1, 2, 3, 4, 5, 15, 99])
  s, w = steps + 1.0, 4.0
  expected = np.minimum(s**-0.5, s * w**-1.5) / w**-0.5
  np.testing.assert_allclose(curve(training, steps), expected, rtol=1e-6)
  assert curve(training, [15])[0] == pytest.approx(0.5)


def updates(rate, decay, training, count=3):
  """The sum of several updates."""
  update = optimizer(training, jnp.asarray(rate), jnp.asarray(decay))
  state, total = update.init(PARAMETERS), PARAMETERS
  for _ in range(count):
    step, state = update.update(GRADIENTS, state, total)
    total = optax.apply_updates(total, step)
  return jax.tree.map(lambda after, before: after - before, total, PARAMETERS)


def test_only_kernels_decay():
  training = Training(warmup=0, clip=100.0)
  with_decay = updates(0.1, 0.5, training, count=1)
  without = updates(0.1, 0.0, training, count=1)
  change = jax.tree.map(lambda a, b: np.array(a - b), with_decay, without)
  expected = -0.1 * 0.5 * np.array(PARAMETERS["layer"]["kernel"])
  found = change["layer"].pop("kernel")
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  assert not any(leaf.any() for leaf in jax.tree.leaves(change))


def test_a_traced_rate_and_decay_do_what_optax_does_with_floats():
  training = Training(warmup=2, clip=1.0, beta1=0.8, beta2=0.95)
  peak = optax.warmup_constant_schedule(0.03 / 3, 0.03, 2)
  plain = optax.chain(
    optax.clip_by_global_norm(1.0),
    optax.adamw(
      peak,
      b1=0.8,
      b2=0.95,
      weight_decay=0.2,
      mask={
        "layer": {"kernel": True, "bias": False},
        "norm": {"scale": False},
        "embed": {"embedding": False},
      },
    ),
  )
  state, total = plain.init(PARAMETERS), PARAMETERS
  for _ in range(3):
    step, state = plain.update(GRADIENTS, state, total)
    total = optax.apply_updates(total, step)
  expected = jax.tree.map(lambda a, b: a - b, total, PARAMETERS)
  traced = jax.jit(lambda rate, decay: updates(rate, decay, training))
  assert_close(traced(0.03, 0.2), expected, level="module")


def test_gradients_are_clipped_before_adam_sees_them():
  # Adam does not see the scale of its gradients, but for epsilon: clipping
  # to nearly nothing shows.
  moved = updates(0.1, 0.0, Training(warmup=0, clip=1e-9), count=1)
  largest = max(abs(leaf).max() for leaf in jax.tree.leaves(moved))
  assert 0 < largest < 0.01


@pytest.mark.parametrize("steps", [1, 3])
def test_a_cosine_shorter_than_its_warm_up_is_finite(steps):
  training = Training(steps=steps, warmup=5, schedule="cosine")
  assert np.isfinite(curve(training, range(steps))).all()
