"""Compiled programs are counted, and dropped when there are too many."""

import jax

from tests import programs


def test_too_many_programs_are_dropped(monkeypatch):
  traces = []

  @jax.jit
  def step(x):
    traces.append(x)
    return x + 1

  monkeypatch.setattr(programs, "_kept", [])
  step(1.0)
  programs.forget()
  step(1.0)
  assert len(traces) == 1 <= len(programs._kept)
  monkeypatch.setattr(programs, "MOST", 0)
  programs.forget()
  step(1.0)
  assert len(traces) == 2
