"""biomedica beside its peers, measured in one run on one machine: `biomedica bench`.

Every number is the median of interleaved rounds (A, B, A, B, …) over a warm page cache, after one round that does not
count. "One core" means pinned to one. A debug build is refused.
"""
