"""How well models do: tasks as files, their data, metrics and statistics."""
