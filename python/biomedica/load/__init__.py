"""Batches for training: samples of a stream, their captions chosen and made into tokens, their images into pixels."""

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("loading batches needs torch: pip install 'biomedica[train]'", name=error.name) from error
