"""Batches for training: `loader` reads a stream, chooses captions, makes tokens of them and pixels of the images."""
