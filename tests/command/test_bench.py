"""`bench`: what the table says, and wrong input; timing itself is no test."""

import pytest

from research.bench.size import SIZES
from research.command import bench


def test_ratios_are_taken_within_a_round():
  rounds = {
    ("lab-1", "256"): [10.0, 20.0, 30.0],
    ("lab-2", "256"): [20.0, 40.0, 60.0],
    ("torch-none-eager", "256"): [5.0, 8.0, 20.0],
    ("product", "float32"): [25.0, 25.0, 25.0],
  }
  lines = bench._table("256", rounds).splitlines()
  peer = next(line for line in lines if "logits everywhere" in line)
  tokens = SIZES["256"].batch * SIZES["256"].length * 8
  # The medians of 2, 2.5 and 1.5; of 4, 5 and 3.
  assert peer.split()[-4:] == ["8.0", f"{tokens:,}", "2.00×", "4.00×"]
  assert not any("compiled" in line for line in lines)


@pytest.mark.parametrize("option", ["rounds", "seconds"])
def test_nothing_to_time_is_refused(option):
  with pytest.raises(ValueError, match=f"{option} = 0.*; allowed: above 0"):
    bench.main([f"--{option}", "0"])


@pytest.mark.parametrize("what", [*bench._ALONE])
def test_a_vocabulary_is_of_training_alone(what):
  with pytest.raises(ValueError, match=f"vocabulary = 256 with {what}; all"):
    bench.main([what, "--vocabulary", "256"])
