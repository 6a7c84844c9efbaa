"""Makes the golden vectors: what other implementations compute.

Run by hand, `python -m tests.golden.make [NAME …]`, in an environment that has
torch, transformers and entmax besides NumPy; no test needs them. Every public
function of the `from_….py` beside this file becomes `NAME.npz`.
"""

import argparse
import pathlib
import sys

import torch

if __package__ is None:
  sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.golden import (
  from_entmax,
  from_torch,
  from_torch_transformer,
  from_transformers,
  from_transformers_models,
  making,
)

SOURCES = (
  from_entmax,
  from_torch,
  from_torch_transformer,
  from_transformers,
  from_transformers_models,
)
MAKERS = {
  name: maker
  for source in SOURCES
  for name, maker in vars(source).items()
  if getattr(maker, "__module__", None) == source.__name__
  and not name.startswith("_")
}


def main() -> None:
  """Makes the files that the command line names, or all of them."""
  torch.set_default_dtype(torch.float64)
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("names", nargs="*", metavar="NAME")
  for name in parser.parse_args().names or MAKERS:
    if name not in MAKERS:
      sys.exit(f"{name} is no golden vector; allowed: {', '.join(MAKERS)}")
    print(making.make(name, MAKERS[name]))


if __name__ == "__main__":
  main()
