"""Selections: which pairs of a dataset to take, by rules that are kept with the result; `biomedica.select` makes them."""
