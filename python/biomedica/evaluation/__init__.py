"""Judging models: tasks, metrics, statistics, and what of a task a dataset has in it already."""
