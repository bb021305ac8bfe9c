//! Tests of the real runtime in externalities.

mod metadata;
