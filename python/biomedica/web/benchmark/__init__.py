"""The page of a benchmark: one static file with a picture of all ratios."""

from biomedica.web.benchmark.page import benchmark_page

__all__ = ["benchmark_page"]
