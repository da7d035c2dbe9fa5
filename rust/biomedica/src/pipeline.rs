//! Many threads, one order.
