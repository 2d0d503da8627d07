"""Where models run, and in which number format, as the settings mean it."""

import torch

from lmlab.settings import Settings

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def device_of(settings: Settings) -> torch.device:
    """The device that the settings mean; automatic: CUDA, else Apple's, else the CPU."""
    if settings.device != "auto":
        return torch.device(settings.device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def dtype_of(settings: Settings) -> torch.dtype:
    """The number format that the settings mean; automatic: bfloat16 on CUDA, else float32."""
    if settings.dtype != "auto":
        return DTYPES[settings.dtype]
    return torch.bfloat16 if device_of(settings).type == "cuda" else torch.float32


def width_of(settings: Settings) -> int:
    """Bytes that a number of the weights takes in memory."""
    return dtype_of(settings).itemsize
