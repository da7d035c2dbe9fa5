"""Seeded choices: a pure function of seed, epoch and position, so that threads, batches and ranks change nothing."""

__all__ = ["CAPTION", "CROP", "seed_of"]

# What a choice is for, so that the crop of an image says nothing about the choice of its caption.
CROP = 0
CAPTION = 1

_MASK = (1 << 64) - 1


def seed_of(purpose: int, seed: int, epoch: int, position: int) -> int:
    """64 bits for one choice about one sample.

    Args:
        purpose: `CROP` or `CAPTION`.
        seed: The run's.
        epoch: The epoch, from 0.
        position: The sample's turn in the epoch, over all ranks.
    """
    state = 0
    for value in (purpose, seed, epoch, position):
        state = _mix(state ^ (value & _MASK))
    return state


def _mix(value: int) -> int:
    """A step of SplitMix64 (Steele, Lea and Flood 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
