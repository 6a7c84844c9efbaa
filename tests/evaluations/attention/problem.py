"""Attention in float64, written out by hand, and numbers to try it with."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from research.evaluations.attention.attend import attention
from research.masks import Full, Mask

GROUPS = 2


def drawn(
  t: int, s: int, heads: int = 2, batch: int = 2, key_width: int = 4
) -> tuple[np.ndarray, ...]:
  """Queries, keys, values, a bias of each score, and slopes of the outputs."""
  generator = np.random.default_rng(5)
  shapes = (
    (batch, t, heads, key_width),
    (batch, s, GROUPS, key_width),
    (batch, s, GROUPS, key_width),
    (batch, heads, t, s),
    (batch, t, heads, key_width),
  )
  return tuple(
    generator.normal(size=shape).astype(np.float32) for shape in shapes
  )


def reference(
  q: Any, k: Any, v: Any, bias: Any, seed: Any, allowed: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
  """Outputs, and gradients of queries, keys, values and bias, in float64.

  Args:
    q: queries [b t h k].
    k: keys [b s g k].
    v: values [b s g k].
    bias: of the scores, [b h t s].
    seed: the slope of the outputs.
    allowed: Bool[b t s], who may look at whom.
  """
  q, k, v, bias, seed = (
    np.asarray(a, np.float64) for a in (q, k, v, bias, seed)
  )
  groups, times = k.shape[2], q.shape[2] // k.shape[2]
  k, v = (np.repeat(x, times, axis=2) for x in (k, v))
  scale = 1 / np.sqrt(q.shape[3])
  weights = np.einsum("bthk,bshk->bhts", q, k) * scale + bias
  weights = np.exp(weights) * allowed[:, None]
  total = weights.sum(axis=-1, keepdims=True)
  weights = np.divide(
    weights, total, out=np.zeros_like(weights), where=total > 0
  )
  slope = np.einsum("bthv,bshv->bhts", seed, v)
  mean = np.sum(slope * weights, axis=-1, keepdims=True)
  slope = weights * (slope - mean)

  def shared(x: np.ndarray) -> np.ndarray:
    split = x.reshape(x.shape[:2] + (groups, times, x.shape[3]))
    return split.sum(axis=3)

  gradients = (
    np.einsum("bhts,bshk->bthk", slope, k) * scale,
    shared(np.einsum("bhts,bthk->bshk", slope, q) * scale),
    shared(np.einsum("bhts,bthv->bshv", weights, seed)),
    slope,
  )
  return np.einsum("bhts,bshv->bthv", weights, v), gradients


def ours(
  form: Any,
  given: tuple[Any, ...],
  allowed: np.ndarray | None = None,
  mask: Mask = Full(),  # noqa: B008 (frozen)
  segments: Any = None,
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
  """What `reference` computes, in one of the forms."""

  def run(q: Any, k: Any, v: Any, bias: Any, allowed: Any) -> jax.Array:
    def biased(score: Any, b: Any, h: Any, t: Any, s: Any) -> Any:
      return score + bias[b, h, t, s].astype(jnp.float32)

    more = {}
    if allowed is not None:
      more["mask_mod"] = lambda b, h, t, s: allowed[b, t, s]
    return attention(
      q,
      k,
      v,
      mask=mask,
      score_mod=biased,
      segments=segments,
      evaluation=form,
      **more,
    )

  @jax.jit
  def both(given: Any, seed: Any, allowed: Any) -> Any:
    y, back = jax.vjp(lambda *given: run(*given, allowed), *given)
    return y, back(seed.astype(y.dtype))

  *rest, seed = map(jnp.asarray, given)
  return both(
    tuple(rest), seed, None if allowed is None else jnp.asarray(allowed)
  )
