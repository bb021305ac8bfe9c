//! Tests of the real runtime in externalities; see `tests/it`.
