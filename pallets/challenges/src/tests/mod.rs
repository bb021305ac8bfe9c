mod draws;
mod enrolment;
mod invariants;
mod parameters;
mod verdicts;
mod verifiers;
