//! Lengths, rates and sums, which the chain's administration may change.

use crate::types::{Offer, MAX_COMMITTEE, MAX_MEMORY_MIB};
use armature_primitives::{
	challenge::{
		CpuChallenge, GemmChallenge, MemoryChallenge, NetworkChallenge, StorageChallenge, Work,
		WorkKind, MAX_LANES,
	},
	device::{AcceleratorOffer, StorageOffer, MAX_ACCELERATOR_MIB},
	telemetry::PowerLoad,
	Balance, MilliWatts, Ppm,
};
use armature_verifier::challenge::{
	check_work,
	gemm::{MAX_SIDE, MAX_STEPS},
	memory::{MAX_READS, MAX_SEGMENTS, MAX_WALK_LANES},
	power::PowerLimits,
	storage::{DEFAULT_COMPRESSIONS, DEFAULT_SECTOR_BLOCKS, MAX_SECTORS},
	DEFAULT_STEPS_PER_SEGMENT,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// The longest window for seals, and for reveals: one hour.
pub const MAX_WINDOW_MILLIS: u64 = 3_600_000;

/// The longest time to prove a fraud: thirty days.
pub const MAX_DISPUTE_MILLIS: u64 = 30 * 24 * 3_600_000;

/// The shortest rows of states that may be asked for: what is multiplied in the longest window still is
/// an operation a second.
pub const MIN_GEMM_SIDE: u32 = 16;

/// Lengths, rates and sums; see [`Parameters::validate`] for their bounds.
#[derive(
	Clone,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
pub struct Parameters {
	/// The number of blocks in which an owner is hit with its share, at least 1.
	pub round_interval_blocks: u32,
	/// What good history lowers an owner's share to, above 0.
	pub min_share: Ppm,
	/// The share of a new owner, and of one in doubt, at most 100 %.
	pub max_share: Ppm,
	/// The most of their time that an owner's devices spend on rounds that they pass, above 0, at most
	/// 100 %.
	pub max_load: Ppm,
	/// Verifiers of a round, 1 to [`MAX_COMMITTEE`]. With fewer than three of them, or than this, no
	/// round is opened.
	pub committee: u8,
	/// Whether no two of them may be reached in the same network.
	pub distinct_networks: bool,
	/// How long after its block a round takes seals, 1 to [`MAX_WINDOW_MILLIS`].
	pub window_millis: u64,
	/// How long reveals are taken after that, 1 to [`MAX_WINDOW_MILLIS`].
	pub reveal_millis: u64,
	/// How long frauds can be proved after a round has ended, 1 to [`MAX_DISPUTE_MILLIS`].
	pub dispute_millis: u64,
	/// How long a score counts, at least the window.
	pub score_max_age_millis: u64,
	/// Segments of each lane.
	pub segments: u32,
	/// Steps of a segment.
	pub steps_per_segment: u32,
	/// The part of drawn starts that are about memory. At most 100 %.
	pub memory_part: Ppm,
	/// The part that is about ways to verifiers.
	pub network_part: Ppm,
	/// The part that is about accelerators.
	pub gemm_part: Ppm,
	/// The part that is about storage; all others are about lanes. With the other three at most 100 %.
	pub storage_part: Ppm,
	/// Blocks of each sector that a device may offer, at least 2. Who has sealed others seals anew.
	pub sector_blocks: u32,
	/// Compressions of each of their blocks, 1 to
	/// [`armature_verifier::challenge::fill::MAX_COMPRESSIONS`].
	pub sector_compressions: u16,
	/// How long after the round's block a device may commit to its storage, in milliseconds, above 0: what a
	/// block takes to be seen by all, and a small share of what sealing a sector takes.
	pub storage_commit_millis: u32,
	/// How long it may take for all blocks of its storage that a verifier asks for, in milliseconds, above 0:
	/// a small share too, and what a slow disk takes for all verifiers. With `storage_commit_millis` at most
	/// half of the window.
	pub storage_read_millis: u32,
	/// What is filled of the memory that a device or its accelerator offers; above 0, at most 100 %.
	pub memory_share: Ppm,
	/// The shortest rows that an accelerator may offer to multiply, at least [`MIN_GEMM_SIDE`].
	pub min_gemm_side: u32,
	/// The longest, at most [`MAX_SIDE`]: three of them are in each opening.
	pub max_gemm_side: u32,
	/// Segments of the walk of each lane, at least 1; with many lanes fewer, [`MAX_SEGMENTS`] together.
	pub walk_segments: u32,
	/// Reads of a segment, 1 to [`MAX_READS`].
	pub walk_reads: u32,
	/// Memory of which a read takes longer, in nanoseconds, is none: it may be a disk, or on another
	/// machine. Above 0.
	pub max_read_nanos: u32,
	/// Signed answers that each verifier asks for, to measure the way to it.
	pub echoes: u16,
	/// When verifiers begin to move data, in milliseconds after the round's block.
	pub transfer_lead_millis: u32,
	/// How long they do so in one direction, then in the other; with the lead less than the window.
	pub transfer_millis: u32,
	/// The most that each of them moves in one direction, in KiB.
	pub transfer_kib: u32,
	/// Verifiers so near to where a device claims to be, in metres, can support that.
	pub near_metres: u64,
	/// What their round trips may take beside the way, in microseconds: a home's last mile.
	pub near_slack_micros: u32,
	/// The most steps of lanes that any device makes with a joule, above 0. Power figures below that are
	/// not taken.
	pub most_steps_per_joule: u64,
	/// The most that a device draws with no lane busy, above 0.
	pub most_base_power: MilliWatts,
	/// The most that each busy lane adds. Figures above both are not taken.
	pub most_lane_power: MilliWatts,
	/// The most operations on bytes that any accelerator makes with a joule, above 0. Power figures below
	/// that are not taken.
	pub most_operations_per_joule: u64,
	/// The most that what a device multiplies with adds.
	pub most_accelerator_power: MilliWatts,
	/// The most error of a figure that counts in its favour, at most 100 %.
	pub most_power_error: Ppm,
	/// What a new verifier bonds, in planck, above 0.
	pub verifier_bond: Balance,
	/// How long a retired verifier's bond stays held, at least both windows and the time for disputes.
	pub verifier_unbonding_millis: u64,
	/// What a verdict with the majority earns, and a missing one costs, in planck, as long as there is
	/// money: see [`PAY_DIVISOR`].
	pub verdict_fee: Balance,
	/// What a verdict that was sealed and not revealed costs, in planck; at least the fee and at most a
	/// tenth of `verifier_bond`.
	pub verdict_penalty: Balance,
	/// What a proof of fraud bonds, in planck, above 0.
	pub dispute_bond: Balance,
	/// What a wrong segment costs, of the device's bond; above 0, at most `fraud_slash`. Memory without
	/// error correction may be to blame.
	pub fault_slash: Ppm,
	/// What two roots in one round cost, which is no accident; at most 100 %.
	pub fraud_slash: Ppm,
	/// What a proof earns, in planck, but never more than a fifth of what was slashed, and as long as
	/// there is money: see [`REWARD_DIVISOR`].
	pub fraud_reward: Balance,
	/// How many blocks before a round its planted answer has to be announced, at least 3: whoever authors all
	/// of them knows the round's seed before.
	pub planted_lead_blocks: u32,
	/// How often a device's failed round may turn out to be a planted answer, at least one window.
	pub planted_interval_millis: u64,
	/// What it costs a verifier to have passed a planted answer, in planck; at most half of
	/// `verifier_bond`. Whoever planted it earns a fifth.
	pub planted_penalty: Balance,
	/// How long after the start of one maintenance of a device the next may start.
	pub maintenance_interval_millis: u64,
	/// How long after an offer of an accelerator, or of storage, the device may make another one.
	pub offer_interval_millis: u64,
	/// What is added to the time of products, in milliseconds: how much later than the device a verifier may
	/// see the round. Without that, who has little to do looks faster than it is.
	pub head_start_millis: u32,
}

impl Parameters {
	/// The fewest verifiers of a round.
	pub fn quorum(&self) -> usize {
		usize::from(self.committee.min(3))
	}

	/// The challenge for a device of `lanes` lanes.
	pub fn cpu(&self, lanes: u16) -> CpuChallenge {
		CpuChallenge {
			lanes: lanes.clamp(1, MAX_LANES),
			segments: self.segments,
			steps_per_segment: self.steps_per_segment,
		}
	}

	/// The challenge for a device that offers so much memory, with as many lanes.
	pub fn memory(&self, lanes: u16, offered_mib: u32) -> MemoryChallenge {
		let lanes = lanes.clamp(1, MAX_LANES);
		let walk_lanes = u32::from(lanes.min(MAX_WALK_LANES));
		let blocks = u64::from(offered_mib.min(MAX_MEMORY_MIB)).saturating_mul(1_024);
		let blocks = u128::from(blocks).saturating_mul(self.memory_share.0.into());
		let blocks = u32::try_from(blocks / u128::from(Ppm::ONE.0)).unwrap_or(u32::MAX);
		MemoryChallenge {
			lanes,
			blocks: (blocks / u32::from(lanes)).max(2),
			segments: self.walk_segments.min(MAX_SEGMENTS / walk_lanes).max(1),
			reads: self.walk_reads,
		}
	}

	/// The challenge for an accelerator that offers this: as many states as fit its memory. `None` where its
	/// rows are too short or too long, or where there is not a state that fits, or more than can be numbered.
	pub fn gemm(&self, offer: &AcceleratorOffer) -> Option<GemmChallenge> {
		let AcceleratorOffer { memory_mib, side } = *offer;
		let is_side = (self.min_gemm_side..=self.max_gemm_side).contains(&side);
		if !is_side || memory_mib > MAX_ACCELERATOR_MIB {
			return None;
		}
		let offered = u128::from(memory_mib) << 20;
		let used = offered.saturating_mul(self.memory_share.0.into()) / u128::from(Ppm::ONE.0);
		let states = used.checked_div(u128::from(side).saturating_pow(2))?;
		let states = u32::try_from(states).ok()?;
		(1..=MAX_STEPS).contains(&states).then_some(GemmChallenge { side, states })
	}

	/// The challenge for a device that offers these sectors. `None` where they are of other sizes than those
	/// that count, or too many.
	pub fn storage(&self, offer: &StorageOffer) -> Option<StorageChallenge> {
		let StorageOffer { sectors, blocks, compressions } = *offer;
		let is_sealed_so = (blocks, compressions) == (self.sector_blocks, self.sector_compressions);
		let challenge = StorageChallenge {
			sectors,
			blocks,
			compressions,
			commit_millis: self.storage_commit_millis,
			read_millis: self.storage_read_millis,
		};
		(is_sealed_so && (1..=MAX_SECTORS).contains(&sectors)).then_some(challenge)
	}

	/// The challenge for the way of a device to its verifiers.
	pub fn network(&self) -> NetworkChallenge {
		NetworkChallenge {
			echoes: self.echoes,
			lead_millis: self.transfer_lead_millis,
			transfer_millis: self.transfer_millis,
			transfer_kib: self.transfer_kib,
		}
	}

	/// What a device with so many lanes can draw under such a load. Its lanes are its class: the more there are,
	/// the larger the machine. Processors multiply, too, and those that feed an accelerator are busy.
	pub fn power_limits(&self, load: PowerLoad, lanes: u16) -> PowerLimits {
		let lanes = self.most_lane_power.0.saturating_mul(lanes.into());
		let (operations_per_joule, accelerator) = match load {
			PowerLoad::Lanes => (self.most_steps_per_joule, 0),
			PowerLoad::Accelerator => {
				(self.most_operations_per_joule, self.most_accelerator_power.0)
			},
		};
		let most = self.most_base_power.0.saturating_add(lanes).saturating_add(accelerator);
		PowerLimits {
			operations_per_joule,
			most: MilliWatts(most),
			most_error: self.most_power_error,
		}
	}

	/// What a device with this offer has to do in a round of this kind; lanes where it has nothing to offer
	/// for that. While it runs a lease, a lane is left to that, and so are all of the memory, the
	/// accelerator and the connection; a few blocks are read beside it.
	pub fn work(&self, kind: WorkKind, offer: Offer, is_leased: bool) -> Work {
		let Offer { lanes, memory_mib, accelerator, storage } = offer;
		let work = match kind {
			WorkKind::Storage => storage.and_then(|offer| self.storage(&offer)).map(Work::Storage),
			_ if is_leased => None,
			WorkKind::Memory => Some(Work::Memory(self.memory(lanes, memory_mib))),
			WorkKind::Network => Some(Work::Network(self.network())),
			WorkKind::Gemm => accelerator.and_then(|offer| self.gemm(&offer)).map(Work::Gemm),
			WorkKind::Cpu => None,
		};
		work.unwrap_or_else(|| Work::Cpu(self.cpu(lanes.saturating_sub(is_leased.into()))))
	}

	/// Whether every field is within its bounds, tasks for the most lanes are within the
	/// verifier's caps, and the slowest verdict in time still is a speed of at least one step per
	/// second (a score of zero would be none).
	pub fn validate(&self) -> bool {
		let cpu = self.cpu(MAX_LANES);
		let windows = self.window_millis.saturating_add(self.reveal_millis);
		let share = |share: Ppm| share.0 > 0 && share <= Ppm::ONE;
		let parts = [self.memory_part, self.network_part, self.gemm_part, self.storage_part];
		let storage_millis = u64::from(self.storage_commit_millis)
			.saturating_add(u64::from(self.storage_read_millis));
		let sector = StorageOffer {
			sectors: MAX_SECTORS,
			blocks: self.sector_blocks,
			compressions: self.sector_compressions,
		};
		let parts = parts.iter().fold(0u32, |sum, part| sum.saturating_add(part.0));
		let sides = MIN_GEMM_SIDE..=MAX_SIDE;
		self.round_interval_blocks > 0
			&& share(self.max_share)
			&& (Ppm(1)..=self.max_share).contains(&self.min_share)
			&& share(self.max_load)
			&& share(self.fraud_slash)
			&& (Ppm(1)..=self.fraud_slash).contains(&self.fault_slash)
			&& (1..=MAX_COMMITTEE).contains(&u32::from(self.committee))
			&& (1..=MAX_WINDOW_MILLIS).contains(&self.window_millis)
			&& (1..=MAX_WINDOW_MILLIS).contains(&self.reveal_millis)
			&& (1..=MAX_DISPUTE_MILLIS).contains(&self.dispute_millis)
			&& self.score_max_age_millis >= self.window_millis
			&& self.verifier_unbonding_millis >= windows.saturating_add(self.dispute_millis)
			&& self.verifier_bond > 0
			&& self.dispute_bond > 0
			&& (self.verdict_fee..=self.verifier_bond / 10).contains(&self.verdict_penalty)
			&& parts <= Ppm::ONE.0
			&& sides.contains(&self.min_gemm_side)
			&& sides.contains(&self.max_gemm_side)
			&& self.min_gemm_side <= self.max_gemm_side
			&& self.network().ends_millis() < self.window_millis
			&& self.most_steps_per_joule > 0
			&& self.most_operations_per_joule > 0
			&& self.most_base_power.0 > 0
			&& self.most_power_error <= Ppm::ONE
			&& share(self.memory_share)
			&& (1..=MAX_SEGMENTS).contains(&self.walk_segments)
			&& (1..=MAX_READS).contains(&self.walk_reads)
			&& self.max_read_nanos > 0
			&& self.planted_lead_blocks > 2
			&& self.planted_interval_millis >= self.window_millis
			&& self.planted_penalty <= self.verifier_bond / 2
			&& check_work(&Work::Cpu(cpu)).is_ok()
			&& check_work(&Work::Memory(self.memory(MAX_LANES, u32::MAX))).is_ok()
			&& check_work(&Work::Network(self.network())).is_ok()
			&& self
				.storage(&sector)
				.is_some_and(|work| check_work(&Work::Storage(work)).is_ok())
			&& storage_millis <= self.window_millis / 2
			&& cpu.steps_per_lane().saturating_mul(1_000) >= self.window_millis
	}
}

impl Default for Parameters {
	/// Production: within 10 minutes of 3 s blocks a new owner is hit with 1 in 9, so sixteen times a
	/// day, and one with good history with 1 in 144, so once (techniques 2.7 begins at four), never for more
	/// than a hundredth of the time; 3,000 segments of 3 to 4 ms are 9 to 12 s of
	/// work on a current core, and three minutes leave room for cores ten times slower; ten minutes to
	/// reveal, a day to prove a fraud; a score counts for three days; 10,000 ARMA of bond, seven days
	/// of unbonding; 0.01 ARMA for a verdict. One start in four is about memory: nine tenths of what is
	/// offered, and a million reads of each lane, half a second and more. A read takes 0.2 to 1 µs with its
	/// hash, and 50 µs from a fast disk. One in sixteen is about ways to verifiers: 20 s after the block, when
	/// all have seen it, 5 s each way and 32 MiB at most, which is 50 Mbit/s for each of five. A way of 500 km
	/// takes 7.5 ms there and back, and a home's last mile up to 10. The best processors of today make some
	/// two million steps with a joule (1.3 W a lane); ten times that is beyond doubt, as are 30 W a lane
	/// beside 1.5 kW. The best accelerators make some five to ten tera-operations of bytes with a joule, and ten
	/// times that is beyond doubt, too; eight of 1.2 kW and what feeds them stay below 15 kW. One start in eight is about
	/// accelerators, where there are any: with rows of 4,096 bytes and 24 GB these make 177 tera-operations,
	/// and one opening is 15 kB. Verifiers look for rounds every half second. Three in sixteen are about
	/// storage, where there is any, since they take little of a device: a sector of a GiB takes two to three minutes to
	/// fill, and 24 blocks for each of five verifiers take a spinning disk two or three seconds.
	fn default() -> Self {
		Self {
			round_interval_blocks: 200,
			min_share: Ppm(6_944),
			max_share: Ppm(111_112),
			max_load: Ppm(10_000),
			committee: 5,
			distinct_networks: true,
			window_millis: 180_000,
			reveal_millis: 600_000,
			dispute_millis: 86_400_000,
			score_max_age_millis: 259_200_000,
			segments: 3_000,
			steps_per_segment: DEFAULT_STEPS_PER_SEGMENT,
			verifier_bond: 10_000_000_000_000_000,
			verifier_unbonding_millis: 604_800_000,
			verdict_fee: 10_000_000_000,
			verdict_penalty: 50_000_000_000,
			dispute_bond: 10_000_000_000_000,
			fault_slash: Ppm(10_000),
			fraud_slash: Ppm(100_000),
			fraud_reward: 50_000_000_000_000,
			memory_part: Ppm(250_000),
			memory_share: Ppm(900_000),
			gemm_part: Ppm(125_000),
			storage_part: Ppm(187_500),
			sector_blocks: DEFAULT_SECTOR_BLOCKS,
			sector_compressions: DEFAULT_COMPRESSIONS,
			storage_commit_millis: 10_000,
			storage_read_millis: 5_000,
			min_gemm_side: 256,
			max_gemm_side: 16_384,
			walk_segments: 131_072,
			walk_reads: 8,
			max_read_nanos: 5_000,
			network_part: Ppm(62_500),
			echoes: 16,
			transfer_lead_millis: 20_000,
			transfer_millis: 5_000,
			transfer_kib: 32_768,
			near_metres: 500_000,
			near_slack_micros: 10_000,
			most_steps_per_joule: 20_000_000,
			most_base_power: MilliWatts(1_500_000),
			most_lane_power: MilliWatts(30_000),
			most_operations_per_joule: 100_000_000_000_000,
			most_accelerator_power: MilliWatts(15_000_000),
			most_power_error: Ppm(250_000),
			planted_lead_blocks: 64,
			planted_interval_millis: 604_800_000,
			planted_penalty: 1_000_000_000_000_000,
			maintenance_interval_millis: 86_400_000,
			offer_interval_millis: 86_400_000,
			head_start_millis: 1_000,
		}
	}
}
