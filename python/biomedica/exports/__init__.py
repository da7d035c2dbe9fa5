"""Forms in which a dataset, or a selection of it, is handed on: `biomedica.export`."""
