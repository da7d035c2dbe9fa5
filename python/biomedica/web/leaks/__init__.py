"""The page of leaks: pairs of an image of a dataset and one of a task, side by side, to be judged."""
