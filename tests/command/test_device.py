import os
import subprocess
import sys

import pytest

from research.command import device

VARIABLES = (
  "JAX_NUM_CPU_DEVICES",
  "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
  "JAX_COMPILATION_CACHE_DIR",
  "JAX_PLATFORMS",
  "XLA_FLAGS",
)


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
  """An environment that says nothing, restored afterwards."""
  for name in VARIABLES:
    monkeypatch.setenv(name, "")  # so that it is put back
    monkeypatch.delenv(name)
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize(
  ("cores", "devices"), [(0, 1), (1, 1), (2, 2), (3, 2), (7, 4), (16, 16)]
)
def test_devices_are_a_power_of_two_within_the_cores(cores, devices):
  assert device.devices(cores) == devices


def test_all_is_set_where_the_user_set_nothing(tmp_path):
  device.prepare()
  assert os.environ["JAX_NUM_CPU_DEVICES"] == str(
    device.devices(device.cores())
  )
  folder = tmp_path / "mixerlab" / "jax"
  assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(folder)
  assert folder.is_dir()
  assert os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] == "0"


def test_choices_of_the_user_stay(monkeypatch):
  monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "7")
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
  monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "3")
  device.prepare()
  assert os.environ["JAX_NUM_CPU_DEVICES"] == "7"
  assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "elsewhere"
  assert os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] == "3"


@pytest.mark.parametrize(
  ("name", "value"),
  [
    ("JAX_PLATFORMS", "cuda"),
    ("XLA_FLAGS", "--xla_force_host_platform_device_count=3"),
  ],
)
def test_devices_are_not_set_where_others_are_meant(monkeypatch, name, value):
  monkeypatch.setenv(name, value)
  device.prepare()
  assert "JAX_NUM_CPU_DEVICES" not in os.environ


def test_a_home_that_cannot_be_written_costs_only_the_cache(
  monkeypatch, tmp_path
):
  file = tmp_path / "file"
  file.write_text("")
  monkeypatch.setenv("XDG_CACHE_HOME", str(file))
  device.prepare()
  assert "JAX_COMPILATION_CACHE_DIR" not in os.environ


@pytest.mark.parametrize(
  ("files", "quota"),
  [
    ({"cpu.max": "150000 100000"}, 2),
    ({"cpu.max": "max 100000"}, 2**16),
    ({"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2),
    ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 2**16),
    ({}, 2**16),
  ],
)
def test_the_quota_of_a_container_counts(tmp_path, files, quota):
  for name, text in files.items():
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
  assert device._quota(tmp_path) == quota


def test_jax_reads_what_was_set():
  text = (
    "from research.command import device; device.prepare()\n"
    "import jax; print(jax.device_count(), "
    "jax.config.jax_compilation_cache_dir, "
    "jax.config.jax_persistent_cache_min_compile_time_secs)"
  )
  done = subprocess.run(
    [sys.executable, "-c", text],
    env={**os.environ, "JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stdout.split() == [
    str(device.devices(device.cores())),
    str(device.cache_folder()),
    "0.0",
  ]
