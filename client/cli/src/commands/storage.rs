//! `armature device storage`.

use crate::{
	amount::show_millis,
	cli::DeviceStorage,
	context::{self, Context},
	show::{when, Done},
};
use anyhow::{bail, ensure, Context as _, Result};
use armature_primitives::{challenge::WorkKind, device::StorageOffer, DeviceId, Moment, RoundId};
use armature_sdk::{api, query, AtBlock, Static};
use armature_verifier::challenge::storage::MAX_SECTORS;
use serde::Serialize;

/// What the chain makes of an offer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
	blocks: u32,
	compressions: u16,
	read_millis: u32,
	interval_millis: u64,
}

impl From<&query::ChallengeParameters> for Terms {
	fn from(parameters: &query::ChallengeParameters) -> Self {
		Self {
			blocks: parameters.sector_blocks,
			compressions: parameters.sector_compressions,
			read_millis: parameters.storage_read_millis,
			interval_millis: parameters.offer_interval_millis,
		}
	}
}

impl Terms {
	/// As many sectors of the size that counts.
	pub(crate) fn offer(&self, sectors: u32) -> Result<StorageOffer> {
		ensure!(
			(1..=MAX_SECTORS).contains(&sectors),
			"the chain takes 1 to {MAX_SECTORS} sectors, not {sectors}"
		);
		let Self { blocks, compressions, .. } = *self;
		Ok(StorageOffer { sectors, blocks, compressions })
	}

	/// Whether rounds ask for blocks of this, which may have been offered when others counted.
	pub(crate) fn is_asked(&self, offer: &StorageOffer) -> bool {
		self.offer(offer.sectors).is_ok_and(|counting| counting == *offer)
	}

	/// When a device that offered something then may make another offer.
	pub(crate) fn next_offer_at(&self, offered_at: Option<Moment>) -> Moment {
		offered_at.map_or(0, |last| last.saturating_add(self.interval_millis))
	}

	fn round(&self, offer: &StorageOffer) -> Round {
		Round {
			sectors: offer.sectors,
			mib: offer.mib(),
			read_millis: self.read_millis,
			offer_interval_millis: self.interval_millis,
		}
	}
}

/// What a round asks of whoever offers something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct Round {
	sectors: u32,
	mib: u64,
	/// Blocks that a verifier asks for have to come within that.
	read_millis: u32,
	/// Another offer can be made after that.
	offer_interval_millis: u64,
}

impl Round {
	fn sentence(&self) -> String {
		let Self { sectors, mib, read_millis, .. } = *self;
		format!(
			"blocks of {}, {mib} MiB: all that a verifier asks for have to come within {}",
			show_sectors(sectors),
			show_millis(read_millis.into())
		)
	}
}

/// Where a device stands that offers something.
#[derive(Clone, Copy, Debug)]
struct Standing {
	device: DeviceId,
	now: Moment,
	offer: Option<StorageOffer>,
	offered_at: Option<Moment>,
	/// An open round about it.
	measured_in: Option<RoundId>,
}

impl Standing {
	async fn gather(at: &AtBlock, device: DeviceId) -> Result<Self> {
		context::device(at, device).await?;
		let enrolment = query::enrolment(at, device).await?.with_context(|| {
			format!(
				"device {device} is not enrolled: start its agent, which enrols it once it is attested and \
				 up"
			)
		})?;
		let round = match query::open_round_of(at, device).await? {
			Some(id) => query::round(at, id).await?.map(|round| (id, round.task.0.work.kind())),
			None => None,
		};
		Ok(Self {
			device,
			now: query::now(at).await?,
			offer: enrolment.storage.as_ref().map(|offer| offer.0),
			offered_at: enrolment.storage_offered_at,
			measured_in: round.filter(|(_, kind)| *kind == WorkKind::Storage).map(|(id, _)| id),
		})
	}

	/// Checks what the chain would refuse, but for whose device it is.
	fn check(&self, wanted: Option<&StorageOffer>, terms: &Terms) -> Result<()> {
		let Self { device, now, offer, offered_at, measured_in } = self;
		if let Some(round) = measured_in {
			bail!(
				"round {round} measures the storage of device {device}: try again once it has ended, in some \
				 minutes"
			);
		}
		let next = terms.next_offer_at(*offered_at);
		if wanted.is_some() && wanted != offer.as_ref() && *now < next {
			let offered = offer.as_ref().map_or_else(|| "nothing".into(), show_offer);
			bail!(
				"device {device} offers {offered}, and may make another offer {}: try again then",
				when(next, *now)
			);
		}
		Ok(())
	}
}

/// What a device now offers.
#[derive(Serialize)]
struct Changed {
	device: u32,
	/// `null` where it was taken back.
	storage: Option<StorageOffer>,
	/// `null` where nothing is offered.
	round: Option<Round>,
}

impl Changed {
	fn rows(&self) -> Vec<(&'static str, String)> {
		let Self { device, storage, round } = self;
		let offer = storage.as_ref().map_or_else(|| "taken back".into(), show_offer);
		let mut rows = vec![("device", device.to_string()), ("storage", offer)];
		if let Some(round) = round {
			let interval = show_millis(round.offer_interval_millis);
			rows.push(("a round", round.sentence()));
			rows.push(("another offer", format!("may be made after {interval}")));
		}
		rows
	}
}

/// An offer, in words.
pub(crate) fn show_offer(offer: &StorageOffer) -> String {
	format!("{}, {} MiB", show_sectors(offer.sectors), offer.mib())
}

/// A number of sectors.
pub(crate) fn show_sectors(sectors: u32) -> String {
	if sectors == 1 {
		"1 sector".into()
	} else {
		format!("{sectors} sectors")
	}
}

pub(crate) async fn run(context: &Context, command: DeviceStorage) -> Result<()> {
	let at = context.best().await?;
	let terms = Terms::from(&query::challenge_parameters(&at).await?);
	let (id, offer) = match command {
		DeviceStorage::Offer { id, sectors } => (id, Some(terms.offer(sectors)?)),
		DeviceStorage::Withdraw { id } => (id, None),
	};
	Standing::gather(&at, id).await?.check(offer.as_ref(), &terms)?;
	let call = api::tx().challenges().offer_storage(Static(id), offer.map(Static));
	let included = context.submit(&call).await?;
	let event: api::challenges::events::StorageOffered =
		included.expect("Challenges.offer_storage", "StorageOffered")?;
	let storage = event.offer.map(|offer| offer.0);
	let round = storage.as_ref().map(|offer| terms.round(offer));
	let changed = Changed { device: event.device.0 .0, storage, round };
	context
		.output
		.record(&Done::new(&included, changed), |done| done.rows(done.of.rows()))
}

#[cfg(test)]
mod tests {
	use super::*;
	use serde_json::json;

	/// The production values.
	const TERMS: Terms = Terms {
		blocks: 1 << 20,
		compressions: 256,
		read_millis: 5_000,
		interval_millis: 86_400_000,
	};

	const OFFER: StorageOffer = StorageOffer { sectors: 500, blocks: 1 << 20, compressions: 256 };

	const STANDING: Standing = Standing {
		device: DeviceId(7),
		now: 90_000_000,
		offer: Some(OFFER),
		offered_at: Some(10_000_000),
		measured_in: None,
	};

	fn refused(standing: &Standing, wanted: Option<&StorageOffer>) -> String {
		standing.check(wanted, &TERMS).expect_err("refused").to_string()
	}

	#[test]
	fn changed_offers_should_be_told_to_people_and_programs() {
		let offered = Changed { device: 7, storage: Some(OFFER), round: Some(TERMS.round(&OFFER)) };
		let sentence =
			"blocks of 500 sectors, 512000 MiB: all that a verifier asks for have to come \
		                within 5.0 s";
		let rows = [
			("device", "7"),
			("storage", "500 sectors, 512000 MiB"),
			("a round", sentence),
			("another offer", "may be made after 24 h 0 min"),
		];
		assert_eq!(offered.rows(), rows.map(|(row, cell)| (row, cell.to_owned())));
		let expected = json!({
			"device": 7,
			"storage": { "sectors": 500, "blocks": 1_048_576, "compressions": 256 },
			"round": {
				"sectors": 500,
				"mib": 512_000,
				"read_millis": 5_000,
				"offer_interval_millis": 86_400_000,
			},
		});
		assert_eq!(serde_json::to_value(&offered).unwrap(), expected);

		let withdrawn = Changed { device: 7, storage: None, round: None };
		let rows = [("device", "7"), ("storage", "taken back")];
		assert_eq!(withdrawn.rows(), rows.map(|(row, cell)| (row, cell.to_owned())));
		let expected = json!({ "device": 7, "storage": null, "round": null });
		assert_eq!(serde_json::to_value(&withdrawn).unwrap(), expected);
		assert_eq!(show_offer(&StorageOffer { sectors: 1, ..OFFER }), "1 sector, 1024 MiB");
	}

	#[test]
	fn offers_should_be_of_as_many_sectors_as_the_chain_takes() {
		assert_eq!(TERMS.offer(500).expect("in bounds"), OFFER);
		assert!(TERMS.offer(1).is_ok() && TERMS.offer(65_536).is_ok());
		for sectors in [0, 65_537, u32::MAX] {
			let refused = TERMS.offer(sectors).unwrap_err().to_string();
			assert_eq!(refused, format!("the chain takes 1 to 65536 sectors, not {sectors}"));
		}
		assert!(TERMS.is_asked(&OFFER));
		assert!(!TERMS.is_asked(&StorageOffer { compressions: 255, ..OFFER }));
		assert!(!TERMS.is_asked(&StorageOffer { blocks: 1 << 19, ..OFFER }));
	}

	#[test]
	fn another_offer_should_be_told_when_it_comes_too_soon() {
		let more = StorageOffer { sectors: 501, ..OFFER };
		let expected =
			"device 7 offers 500 sectors, 512000 MiB, and may make another offer in 1 h 46 \
		                min: try again then";
		assert_eq!(refused(&STANDING, Some(&more)), expected);
		let withdrawn = Standing { offer: None, ..STANDING };
		assert!(refused(&withdrawn, Some(&OFFER)).starts_with("device 7 offers nothing, and may"));
		// The same once more changes nothing, and taking it back takes no time.
		assert!(STANDING.check(Some(&OFFER), &TERMS).is_ok());
		assert!(STANDING.check(None, &TERMS).is_ok());
		let over = Standing { now: 96_400_000, ..STANDING };
		assert!(over.check(Some(&more), &TERMS).is_ok());
		let first = Standing { offer: None, offered_at: None, ..STANDING };
		assert!(first.check(Some(&more), &TERMS).is_ok());
	}

	#[test]
	fn nothing_should_change_while_it_is_measured() {
		let measured = Standing { measured_in: Some(RoundId(9)), ..STANDING };
		for wanted in [None, Some(&OFFER)] {
			let refused = refused(&measured, wanted);
			assert!(refused.starts_with("round 9 measures the storage of device 7"), "{refused}");
		}
	}
}
