"""Strict settings of every test, made before jax is used for the first time.

Environment variables are for this process and the ones that tests start;
what goes through `jax.config` is for this process alone.
"""

import gc
import importlib.util
import os
import pathlib

import jaxtyping
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]

# The suite waits for the compiler, not for the programs: XLA's cheapest level
# compiles them in half the time. It changes the last bits of a result, so the
# tolerances hold for it as they do for the full level, and bits are compared
# only between two programs of the same level.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

# Tracing makes many small objects that live for long: looking through them as
# often as Python does by itself takes a tenth of the suite.
gc.set_threshold(50_000)

# What was compiled stays for the next run. jax keeps only what took a second
# to compile unless it is told otherwise; here nearly everything takes less.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache/jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

# Shapes and types of all signatures are checked while tracing. A machine
# without beartype still runs the tests, unchecked.
if importlib.util.find_spec("beartype"):
  jaxtyping.install_import_hook("research", "beartype.beartype")

import jax  # noqa: E402  (after the variables that it reads on import)

from tests.laws_matrix import pytest_terminal_summary  # noqa: E402, F401
from tests.programs import forget  # noqa: E402

# Enough devices to see a member or a batch end up on the wrong one.
jax.config.update("jax_num_cpu_devices", 4)
# Broadcasting is written out, so that a missing axis cannot hide in it.
jax.config.update("jax_numpy_rank_promotion", "raise")
# Keys are made by `jax.random.key`; the old ones are plain integers.
jax.config.update("jax_legacy_prng_key", "error")
# Float32 means float32: accelerators would multiply with fewer bits.
jax.config.update("jax_default_matmul_precision", "highest")


@pytest.fixture
def unchecked():
  """As in a run, where no hook checks the types of a call."""
  jaxtyping.config.update("jaxtyping_disable", True)
  yield
  jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module", autouse=True)
def forgetting():
  """Nothing that was compiled for one file is needed by the next."""
  yield
  forget()
