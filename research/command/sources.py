"""Experiments from a page or a file, changed as the arguments ask."""

import argparse
import importlib
import pathlib

from research.command import pages
from research.command.additions import add_mixers, replace_task
from research.command.overrides import apply, override_by_path
from research.experiment import Experiment
from research.folder import read_experiment


def select(
  options: argparse.Namespace,
  paths: list[str],
  *,
  only: tuple[str, ...] = (),
  seeds: int | None = None,
) -> Experiment:
  """The experiment that is meant.

  Raises:
    ValueError: an unknown name, field or class, or a wrong value.
  """
  experiment = load(options.name, options.scale)
  experiment = add_mixers(experiment, options.mixer, options.encoder_mixer)
  if only:
    experiment = experiment.only(only)
  if options.task:
    experiment = replace_task(experiment, options.task)
  program = f"mixerlab run {options.name}"
  experiment = override_by_path(experiment, paths, program)
  if seeds is not None:
    experiment = apply(experiment, {"training.seeds": seeds})
  return experiment


def load(name: str, scale: str | None = None) -> Experiment:
  """The experiment of a page, or of an `experiment.json`.

  Raises:
    ValueError: no such page, a damaged file, or another scale than its own.
  """
  if name.endswith(".json"):
    return _from_file(pathlib.Path(name), scale)
  page = importlib.import_module(f"experiments.{pages.check(name)}")
  return page.experiment(scale or "laptop")


def _from_file(file: pathlib.Path, scale: str | None) -> Experiment:
  experiment = read_experiment(file)
  if scale not in (None, experiment.scale):
    raise ValueError(
      f"--scale = {scale!r} with {file}, which is at scale "
      f"{experiment.scale!r}; allowed: leave it out"
    )
  return experiment
