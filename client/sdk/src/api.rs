//! Code generated from the committed metadata, with the types of `armature-primitives` in place of
//! generated copies.

#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

/// The macro below reads the file without cargo's knowledge: this has it compiled again when the file
/// changes.
const _: &[u8] = include_bytes!("../../../artifacts/metadata.scale");

#[subxt::subxt(
	runtime_metadata_path = "../../artifacts/metadata.scale",
	substitute_type(
		path = "armature_primitives::ids::DeviceId",
		with = "::subxt::utils::Static<::armature_primitives::DeviceId>"
	),
	substitute_type(
		path = "armature_primitives::ids::SiteId",
		with = "::subxt::utils::Static<::armature_primitives::SiteId>"
	),
	substitute_type(
		path = "armature_primitives::ids::RackId",
		with = "::subxt::utils::Static<::armature_primitives::RackId>"
	),
	substitute_type(
		path = "armature_primitives::ids::RegionId",
		with = "::subxt::utils::Static<::armature_primitives::RegionId>"
	),
	substitute_type(
		path = "armature_primitives::ids::OrderId",
		with = "::subxt::utils::Static<::armature_primitives::OrderId>"
	),
	substitute_type(
		path = "armature_primitives::ids::LeaseId",
		with = "::subxt::utils::Static<::armature_primitives::LeaseId>"
	),
	substitute_type(
		path = "armature_primitives::ids::RoundId",
		with = "::subxt::utils::Static<::armature_primitives::RoundId>"
	),
	substitute_type(
		path = "armature_primitives::ids::EpochIndex",
		with = "::subxt::utils::Static<::armature_primitives::EpochIndex>"
	),
	substitute_type(
		path = "armature_primitives::units::MilliWatts",
		with = "::subxt::utils::Static<::armature_primitives::MilliWatts>"
	),
	substitute_type(
		path = "armature_primitives::units::MilliWattHours",
		with = "::subxt::utils::Static<::armature_primitives::MilliWattHours>"
	),
	substitute_type(
		path = "armature_primitives::units::Ppm",
		with = "::subxt::utils::Static<::armature_primitives::Ppm>"
	),
	substitute_type(
		path = "armature_primitives::device::Tier",
		with = "::subxt::utils::Static<::armature_primitives::device::Tier>"
	),
	substitute_type(
		path = "armature_primitives::device::DeviceStatus",
		with = "::subxt::utils::Static<::armature_primitives::device::DeviceStatus>"
	),
	substitute_type(
		path = "armature_primitives::device::AcceleratorOffer",
		with = "::subxt::utils::Static<::armature_primitives::device::AcceleratorOffer>"
	),
	substitute_type(
		path = "armature_primitives::device::StorageOffer",
		with = "::subxt::utils::Static<::armature_primitives::device::StorageOffer>"
	),
	substitute_type(
		path = "armature_primitives::device::Performance",
		with = "::subxt::utils::Static<::armature_primitives::device::Performance>"
	),
	substitute_type(
		path = "armature_primitives::location::Position",
		with = "::subxt::utils::Static<::armature_primitives::location::Position>"
	),
	substitute_type(
		path = "armature_primitives::energy::CurrencyCode",
		with = "::subxt::utils::Static<::armature_primitives::energy::CurrencyCode>"
	),
	substitute_type(
		path = "armature_primitives::energy::Tariff",
		with = "::subxt::utils::Static<::armature_primitives::energy::Tariff>"
	),
	substitute_type(
		path = "armature_primitives::energy::BreakEven",
		with = "::subxt::utils::Static<::armature_primitives::energy::BreakEven>"
	),
	substitute_type(
		path = "armature_primitives::energy::QuoteError",
		with = "::subxt::utils::Static<::armature_primitives::energy::QuoteError>"
	),
	substitute_type(
		path = "armature_primitives::evidence::EvidenceFormat",
		with = "::subxt::utils::Static<::armature_primitives::evidence::EvidenceFormat>"
	),
	substitute_type(
		path = "armature_primitives::telemetry::Leaf",
		with = "::subxt::utils::Static<::armature_primitives::telemetry::Leaf>"
	),
	substitute_type(
		path = "armature_primitives::telemetry::TelemetrySummary",
		with = "::subxt::utils::Static<::armature_primitives::telemetry::TelemetrySummary>"
	),
	substitute_type(
		path = "armature_primitives::telemetry::PowerReading",
		with = "::subxt::utils::Static<::armature_primitives::telemetry::PowerReading>"
	),
	substitute_type(
		path = "armature_primitives::challenge::ChallengeTask",
		with = "::subxt::utils::Static<::armature_primitives::challenge::ChallengeTask>"
	),
	substitute_type(
		path = "armature_primitives::challenge::WorkKind",
		with = "::subxt::utils::Static<::armature_primitives::challenge::WorkKind>"
	),
	substitute_type(
		path = "armature_primitives::challenge::Assignment",
		with = "::subxt::utils::Static<::armature_primitives::challenge::Assignment>"
	),
	substitute_type(
		path = "armature_primitives::challenge::ChallengeCommit",
		with = "::subxt::utils::Static<::armature_primitives::challenge::ChallengeCommit>"
	),
	substitute_type(
		path = "armature_primitives::challenge::Verdict",
		with = "::subxt::utils::Static<::armature_primitives::challenge::Verdict>"
	),
	substitute_type(
		path = "armature_primitives::market::OrderSpec",
		with = "::subxt::utils::Static<::armature_primitives::market::OrderSpec>"
	),
	substitute_type(
		path = "armature_primitives::market::AskTerms",
		with = "::subxt::utils::Static<::armature_primitives::market::AskTerms>"
	),
	substitute_type(
		path = "armature_primitives::market::Refusal",
		with = "::subxt::utils::Static<::armature_primitives::market::Refusal>"
	),
	substitute_type(
		path = "armature_primitives::lease::RunReport",
		with = "::subxt::utils::Static<::armature_primitives::lease::RunReport>"
	),
	substitute_type(
		path = "armature_primitives::lease::Receipt<A>",
		with = "::subxt::utils::Static<::armature_primitives::lease::Receipt<A>>"
	)
)]
mod generated {}

pub use generated::*;
