"""How a variant is trained: one frozen record."""

import dataclasses
import math
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Training:
  """Budget, optimizer, sweep and evaluation of one variant.

  Every pair of a seed and a learning rate is a member; the members of a
  variant are trained side by side in one program.
  """

  steps: int = 1000
  """Gradient steps of every member."""
  batch: int = 64
  """Examples a step."""
  learning_rates: tuple[float, ...] = (1e-3, 3e-3)
  """The sweep; each variant takes its own best."""
  seeds: int = 3
  """Seeds 0, 1, …: parameters, training, validation and test data."""
  examples: int = 0
  """Size of the training set; 0 for fresh examples at every step."""
  warmup: int = 50
  """Steps of linear warm-up."""
  schedule: Literal["constant", "cosine", "inverse_sqrt"] = "constant"
  """The learning rate after the warm-up; cosine ends at zero, the other falls
  with the root of the steps (Vaswani 2017)."""
  weight_decay: float = 0.1
  """AdamW's decoupled decay, of weights named `kernel` alone."""
  label_smoothing: float = 0.0
  """The share of a target that is spread over all classes (Szegedy 2016)."""
  clip: float = 1.0
  """Largest global norm of a gradient."""
  beta1: float = 0.9
  """Adam's decay of the first moment."""
  beta2: float = 0.98
  """Adam's decay of the second moment."""
  evaluate_every: int = 100
  """Steps between evaluations on validation examples."""
  validation: int = 512
  """Validation examples."""
  test: int = 4096
  """Fresh test examples for the final numbers."""
  target: float = 0.99
  """Validation score at which a member has solved the task and stops; no
  accuracy is above 1, so that with more than that none stops."""
  selection: Literal["validation", "test"] = "validation"
  """What the learning rate is chosen by. "test" exists to follow published
  protocols only, and is named in the report."""

  def __post_init__(self) -> None:
    for name in (
      "steps", "batch", "seeds", "evaluate_every", "validation", "test"
    ):  # fmt: skip
      if getattr(self, name) < 1:
        raise ValueError(
          f"training.{name} = {getattr(self, name)}; allowed: 1 or more"
        )
    for name in ("examples", "warmup", "weight_decay"):
      if not getattr(self, name) >= 0:
        raise ValueError(
          f"training.{name} = {getattr(self, name)}; allowed: 0 or more"
        )
    rates = self.learning_rates
    if not (rates and all(0 < rate < math.inf for rate in rates)):
      raise ValueError(
        f"training.learning_rates = {rates}; allowed: one or more positive, "
        "finite numbers"
      )
    if len(set(self.learning_rates)) != len(self.learning_rates):
      raise ValueError(
        f"training.learning_rates = {self.learning_rates}; allowed: "
        "different numbers"
      )
    if not self.clip > 0:
      raise ValueError(f"training.clip = {self.clip}; allowed: above 0")
    for name in ("beta1", "beta2", "label_smoothing"):
      if not 0 <= getattr(self, name) < 1:
        raise ValueError(
          f"training.{name} = {getattr(self, name)}; allowed: 0 to below 1"
        )
    for name, allowed in (
      ("schedule", ("constant", "cosine", "inverse_sqrt")),
      ("selection", ("validation", "test")),
    ):
      if getattr(self, name) not in allowed:
        raise ValueError(
          f"training.{name} = {getattr(self, name)!r}; allowed: {allowed}"
        )


SMOKE = Training(
  steps=20,
  batch=16,
  seeds=2,
  warmup=5,
  evaluate_every=10,
  validation=64,
  test=128,
)
"""Seconds, to see that something runs: the scale "smoke" of every page."""
