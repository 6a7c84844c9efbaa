"""The curves of a run as TensorBoard event files, one run a member."""

import math
import pathlib
import shutil

from research.folder import read_curves
from research.plots.readable import rate

TAGS = {
  "loss": "loss/training",
  "validation_loss": "loss/validation",
  "validation": "score/validation",
}


def write_events(folder: pathlib.Path) -> pathlib.Path:
  """Writes `tensorboard/<variant>/rate_<rate>/seed_<seed>/`, all anew.

  Args:
    folder: of a run; its `metrics.jsonl` is read.

  Returns:
    The folder to show: `tensorboard --logdir` takes it.

  Raises:
    ModuleNotFoundError: tensorboardX is not installed; names the extra.
  """
  try:
    from tensorboardX import SummaryWriter
  except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
      f"event files need {error.name}, which is not installed; allowed: "
      "pip install 'mixerlab[tensorboard]'",
      name=error.name,
    ) from error
  target = folder / "tensorboard"
  shutil.rmtree(target, ignore_errors=True)
  members: dict[pathlib.Path, list[dict]] = {}
  for line in read_curves(folder):
    chosen = f"rate_{rate(line['learning_rate'])}"
    place = target / line["variant"] / chosen / f"seed_{line['seed']}"
    members.setdefault(place, []).append(line)
  for place, lines in members.items():
    with SummaryWriter(str(place)) as writer:
      for line in lines:
        for key, tag in TAGS.items():
          value = math.nan if line[key] is None else line[key]
          writer.add_scalar(tag, value, line["step"])
  return target
