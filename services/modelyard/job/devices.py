"""The devices that a job was given, and nothing else."""

import os
from collections.abc import Sequence
from typing import Any

from modelyard.job.errors import AcceleratorMissing


def bind_environment(devices: Sequence[str]) -> None:
    """Hide every GPU that is not the job's; before TensorFlow is imported."""
    gpus = [device.partition(":")[2] for device in devices if device.startswith("gpu:")]
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus) if gpus else "-1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"


def bind(devices: Sequence[str], cpu_threads: int, *, deterministic: bool | None) -> tuple[str, ...]:
    """Set TensorFlow up and say what it sees; raises AcceleratorMissing when that is not what was given."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    granted = [device for device in devices if device.startswith("gpu:")]
    if len(gpus) != len(granted):
        raise AcceleratorMissing(
            f"the job was given {', '.join(granted)}, but TensorFlow {tf.__version__} can use {len(gpus)} GPUs; "
            "`modelyard doctor` on the worker's machine says what is missing"
        )
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if cpu_threads:
        tf.config.threading.set_intra_op_parallelism_threads(cpu_threads)
        tf.config.threading.set_inter_op_parallelism_threads(cpu_threads)
    if deterministic or (deterministic is None and not gpus):
        tf.config.experimental.enable_op_determinism()
    if not gpus:
        return ("cpu",)
    names = (tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in gpus)
    return tuple(f"{device} {name}" for device, name in zip(granted, names, strict=True))


def allow_unseeded() -> None:
    """Let operations draw random numbers without a seed, which determinism refuses: for a model that others made, and
    that is only asked."""
    from tensorflow.python.framework.config import disable_op_determinism

    disable_op_determinism()


def choose_strategy(devices: Sequence[str]) -> Any:
    """One device needs none; several GPUs of one machine are mirrored."""
    import tensorflow as tf

    gpus = [device for device in devices if device.startswith("gpu:")]
    return tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()
