//! Encoded images to the pixels a model is fed with.
