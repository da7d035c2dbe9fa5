//! Samples of shards in a seeded order that resumes at any place.
