//! `armature device accelerator`.

use crate::{
	amount::{show_millis, show_operations},
	cli::DeviceAccelerator,
	context::Context,
	show::Done,
};
use anyhow::{ensure, Context as _, Result};
use armature_primitives::{
	challenge::GemmChallenge,
	device::{AcceleratorOffer, MAX_ACCELERATOR_MIB},
	Ppm,
};
use armature_sdk::{api, query, Static};
use armature_verifier::challenge::gemm::MAX_STEPS;
use serde::Serialize;

/// What the chain makes of an offer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
	min_side: u32,
	max_side: u32,
	/// What is filled of the memory.
	share: Ppm,
	window_millis: u64,
}

impl From<&query::ChallengeParameters> for Terms {
	fn from(parameters: &query::ChallengeParameters) -> Self {
		Self {
			min_side: parameters.min_gemm_side,
			max_side: parameters.max_gemm_side,
			share: parameters.memory_share.0,
			window_millis: parameters.window_millis,
		}
	}
}

impl Terms {
	/// The challenge for whoever offers this, as the chain draws it; or which bounds have to be kept.
	pub(crate) fn challenge(&self, offer: &AcceleratorOffer) -> Result<GemmChallenge> {
		let AcceleratorOffer { memory_mib, side } = *offer;
		let Self { min_side, max_side, share, .. } = *self;
		ensure!(
			(min_side..=max_side).contains(&side),
			"the chain takes sides of {min_side} to {max_side} rows, not {side}"
		);
		// In millionths of bytes, so that nothing is rounded.
		let of_mib = u128::from(share.0) << 20;
		let of_state = u128::from(side).saturating_pow(2).saturating_mul(Ppm::ONE.0.into());
		let states = of_mib.saturating_mul(memory_mib.into()).checked_div(of_state);
		states
			.and_then(|states| u32::try_from(states).ok())
			.filter(|states| (1..=MAX_STEPS).contains(states))
			.filter(|_| memory_mib <= MAX_ACCELERATOR_MIB)
			.map(|states| GemmChallenge { side, states })
			.with_context(|| {
				let least = of_state.div_ceil(of_mib.max(1));
				let beyond = of_state.saturating_mul(u128::from(MAX_STEPS).saturating_add(1));
				let most = beyond.saturating_sub(1) / of_mib.max(1);
				let most = most.min(MAX_ACCELERATOR_MIB.into());
				format!(
					"with a side of {side} rows the chain takes {least} to {most} MiB of memory, not \
					 {memory_mib}"
				)
			})
	}

	fn round(&self, offer: &AcceleratorOffer) -> Result<Round> {
		let challenge = self.challenge(offer)?;
		// States, and two factors.
		let beside = u128::from(challenge.side).saturating_pow(2).saturating_mul(2);
		let gpu_mib = challenge.bytes().saturating_add(beside).div_ceil(1 << 20);
		Ok(Round {
			states: challenge.states,
			gpu_mib: u64::try_from(gpu_mib).unwrap_or(u64::MAX),
			operations: u64::try_from(challenge.operations()).unwrap_or(u64::MAX),
			window_millis: self.window_millis,
		})
	}
}

/// What a round asks of whoever offers something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct Round {
	states: u32,
	/// Memory that a GPU needs for that, about.
	gpu_mib: u64,
	/// Multiplications and additions of bytes.
	operations: u64,
	/// They have to be done within that.
	window_millis: u64,
}

impl Round {
	fn sentence(&self) -> String {
		let Self { states, gpu_mib, operations, window_millis } = *self;
		let least = u128::from(operations).saturating_mul(1_000).checked_div(window_millis.into());
		let least = least.and_then(|least| u64::try_from(least).ok()).unwrap_or(u64::MAX);
		format!(
			"{states} states, {gpu_mib} MiB of a GPU's memory, {} within {}: it takes more than {}/s",
			show_operations(operations),
			show_millis(window_millis),
			show_operations(least)
		)
	}
}

/// What a device now offers.
#[derive(Serialize)]
struct Changed {
	device: u32,
	/// `null` where it was taken back.
	accelerator: Option<AcceleratorOffer>,
	/// `null` where nothing is offered.
	round: Option<Round>,
}

impl Changed {
	fn rows(&self) -> Vec<(&'static str, String)> {
		let Self { device, accelerator, round } = self;
		let offer = accelerator.as_ref().map_or_else(|| "taken back".into(), show_offer);
		let mut rows = vec![("device", device.to_string()), ("accelerator", offer)];
		rows.extend(round.as_ref().map(|round| ("a round", round.sentence())));
		rows
	}
}

/// An offer, in words.
pub(crate) fn show_offer(offer: &AcceleratorOffer) -> String {
	let AcceleratorOffer { memory_mib, side } = offer;
	format!("{memory_mib} MiB with a side of {side} rows")
}

pub(crate) async fn run(context: &Context, command: DeviceAccelerator) -> Result<()> {
	let (id, offer) = match command {
		DeviceAccelerator::Offer { id, memory, side } => {
			(id, Some(AcceleratorOffer { memory_mib: memory, side }))
		},
		DeviceAccelerator::Withdraw { id } => (id, None),
	};
	let round = match &offer {
		Some(offer) => {
			let parameters = query::challenge_parameters(&context.best().await?).await?;
			Some(Terms::from(&parameters).round(offer)?)
		},
		None => None,
	};
	let call = api::tx().challenges().offer_accelerator(Static(id), offer.map(Static));
	let included = context.submit(&call).await?;
	let event: api::challenges::events::AcceleratorOffered =
		included.expect("Challenges.offer_accelerator", "AcceleratorOffered")?;
	let accelerator = event.offer.map(|offer| offer.0);
	let changed = Changed { device: event.device.0 .0, accelerator, round };
	context
		.output
		.record(&Done::new(&included, changed), |done| done.rows(done.of.rows()))
}

#[cfg(test)]
mod tests {
	use super::*;
	use serde_json::json;

	/// The production values.
	const TERMS: Terms =
		Terms { min_side: 256, max_side: 16_384, share: Ppm(900_000), window_millis: 180_000 };

	const OFFER: AcceleratorOffer = AcceleratorOffer { memory_mib: 24_576, side: 4_096 };

	#[test]
	fn changed_offers_should_be_told_to_people_and_programs() {
		let round = TERMS.round(&OFFER).expect("within the bounds");
		let offered = Changed { device: 7, accelerator: Some(OFFER), round: Some(round) };
		let sentence =
			"1382 states, 22144 MiB of a GPU's memory, 189.9 tera-operations within 3 min \
		                0 s: it takes more than 1.0 tera-operations/s";
		let rows = [
			("device", "7"),
			("accelerator", "24576 MiB with a side of 4096 rows"),
			("a round", sentence),
		];
		assert_eq!(offered.rows(), rows.map(|(row, cell)| (row, cell.to_owned())));
		let expected = json!({
			"device": 7,
			"accelerator": { "memory_mib": 24_576, "side": 4_096 },
			"round": {
				"states": 1_382,
				"gpu_mib": 22_144,
				"operations": 189_940_633_698_304u64,
				"window_millis": 180_000,
			},
		});
		assert_eq!(serde_json::to_value(&offered).unwrap(), expected);

		let withdrawn = Changed { device: 7, accelerator: None, round: None };
		let rows = [("device", "7"), ("accelerator", "taken back")];
		assert_eq!(withdrawn.rows(), rows.map(|(row, cell)| (row, cell.to_owned())));
		let expected = json!({ "device": 7, "accelerator": null, "round": null });
		assert_eq!(serde_json::to_value(&withdrawn).unwrap(), expected);
	}

	#[test]
	fn offers_out_of_bounds_should_be_told_the_bounds() {
		let states = |memory_mib, side| {
			let challenge = TERMS.challenge(&AcceleratorOffer { memory_mib, side });
			challenge.map(|challenge| challenge.states).map_err(|error| error.to_string())
		};
		let refused = |memory_mib, side| states(memory_mib, side).unwrap_err();
		for side in [0, 255, 16_385, u32::MAX] {
			let expected = format!("the chain takes sides of 256 to 16384 rows, not {side}");
			assert_eq!(refused(1_024, side), expected);
		}
		// Nine tenths of 285 MiB hold a state of 256 MiB, and of 284 MiB do not.
		assert_eq!(states(285, 16_384), Ok(1));
		let expected =
			"with a side of 16384 rows the chain takes 285 to 1048576 MiB of memory, not 284";
		assert_eq!(refused(284, 16_384), expected);
		assert!(states(MAX_ACCELERATOR_MIB, 16_384).is_ok());
		assert!(refused(MAX_ACCELERATOR_MIB + 1, 16_384).contains("285 to 1048576 MiB"));
		// At most 16,384 states can be numbered.
		assert_eq!(states(1_137, 256), Ok(16_372));
		let expected = "with a side of 256 rows the chain takes 1 to 1137 MiB of memory, not 1138";
		assert_eq!(refused(1_138, 256), expected);
		let nothing = Terms { min_side: 0, share: Ppm(0), ..TERMS };
		for side in [0, OFFER.side] {
			let refused = nothing.challenge(&AcceleratorOffer { side, ..OFFER }).unwrap_err();
			let expected = format!("with a side of {side} rows the chain takes ");
			assert!(refused.to_string().starts_with(&expected), "{refused}");
		}
	}
}
