"""Rows of results for figures to be drawn from."""

import math

from research.results import Row


def row(variant, mean, half=0.02, values=(), slice="all", metric="accuracy"):
  """A row of a variant with an interval of `mean ± half`."""
  return Row(
    variant=variant,
    task="test",
    slice=slice,
    metric=metric,
    mean=mean,
    low=mean - half,
    high=mean + half,
    values=values or (mean, mean),
    learning_rate=0.003,
    parameters=1000,
    state_size=10,
    flops_per_example=1e6,
    temporary_bytes=1,
    compile_seconds=1.0,
    train_seconds=2.0,
    examples_per_second=3.0,
    steps=4,
  )


NAN = math.nan


def texts(axes):
  """All annotations of a plot."""
  return [text.get_text() for text in axes.texts if text.get_text()]


def drawn(axes):
  """The points of all lines of a plot, line by line."""
  return [
    list(zip(*(map(float, part) for part in line.get_data()), strict=True))
    for line in axes.lines
  ]
