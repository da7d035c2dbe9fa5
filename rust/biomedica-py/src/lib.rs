//! Python bindings.
#[pyo3::pymodule(name = "_core")]
mod core {}
