"""`bench forms`: what the tables say, and that every form can be timed."""

import functools

import jax
import jax.numpy as jnp
import pytest

from research.bench import forms
from research.command import bench_forms


def test_the_tables():
  def measured(name):
    assert name in forms.FAMILIES
    first, *others = forms.FAMILIES[name].forms
    found = {(form, 64): [2e-3, 4e-3] for form in others}
    found |= {("auto", 64): [3e-3, 5e-3], (first, 64): [5e-3, 9e-3]}
    return {**found, ("auto", 128): [1e-3, 1e-3]}

  text, data = bench_forms.tables(measured)
  lines = [line.split() for line in text.splitlines()]
  others = [len(family.forms) - 2 for family in forms.FAMILIES.values()]
  # 3 / 2 in the first round and 5 / 4 in the second.
  assert [line for line in lines if line[:1] == ["64"]] == [
    ["64", "7.00", *n * ["3.00"], "4.00", "1.38"] for n in others
  ]
  assert [line for line in lines if line[:1] == ["128"]] == [
    ["128", *(n + 1) * ["–"], "1.00", "–"] for n in others
  ]
  assert data["delta-auto"]["64"] == [3e-3, 5e-3]


@pytest.mark.parametrize("name", forms.FAMILIES)
def test_every_form_can_be_timed(name):
  family = forms.FAMILIES[name]
  segments, arrays = jnp.ones((1, 8), jnp.int32), family.arrays(8)
  shapes = {
    jax.eval_shape(
      functools.partial(family.call, form), segments, *arrays
    ).shape
    for form in family.forms
  }
  assert len(shapes) == 1


def test_forms_take_turns():
  told = []
  family = forms.FAMILIES["gates"]
  found = forms.seconds(family, 2, 0.0, told.append, [8])
  assert {*found} == {(form, 8) for form in family.forms}
  assert all(len(turns) == 2 and min(turns) > 0 for turns in found.values())
  assert told[-1].endswith("2 rounds")


def test_what_is_slow_or_large_is_not_run(monkeypatch):
  family = forms.FAMILIES["gates"]._replace(forms=("serial", "auto"))
  monkeypatch.setattr(forms, "MOST_SECONDS", 0.0)
  found = forms.seconds(family, 1, 0.0, lambda text: None, [8, 16])
  assert {*found} == {("serial", 8), ("auto", 8)}
  monkeypatch.setattr(forms, "MOST_BYTES", -1)
  assert not forms.seconds(family, 1, 0.0, lambda text: None, [8, 16])
