"""What is timed: one training step of recall with attention."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Size:
  """The sizes that all contenders share."""

  vocabulary: int = 256
  length: int = 64
  pairs: int = 4
  width: int = 64
  layers: int = 2
  heads: int = 1
  expansion: int = 4
  batch: int = 64
  learning_rate: float = 1e-3
  weight_decay: float = 0.1
  clip: float = 1.0


SIZES = {"256": Size(), "8192": Size(vocabulary=8192)}
"""By vocabulary."""
