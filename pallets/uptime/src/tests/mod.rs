mod amnesty;
mod invariants;
mod leaves;
mod orchestrators;
mod parameters;
mod sweep;
