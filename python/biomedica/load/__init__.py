"""From samples to batches for training: decoding, tokens, captions, the loader."""
