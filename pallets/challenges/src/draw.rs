//! Which owners' devices are challenged, and when: requests, and draws.

use crate::{pallet::*, types::*, weights::WeightInfo};
use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
use armature_primitives::{
	challenge::WorkKind,
	device::{DeviceInfo, DeviceStatus},
	traits::{DeviceBusy, DeviceInspect, EnergyInspect},
	DeviceId, Moment, Ppm, SiteId, H256,
};
use codec::Encode;
use frame_support::{
	traits::{Get, Randomness, Time},
	weights::Weight,
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::traits::{SaturatedConversion, Saturating};

/// What all rounds of one block share.
pub(crate) struct DrawContext<T: Config> {
	pub(crate) parameters: Parameters,
	pub(crate) verifiers: ActiveVerifiersOf<T>,
	pub(crate) beacon: H256,
	pub(crate) block: BlockNumberFor<T>,
	pub(crate) now: Moment,
}

/// What was at the front of the queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Queued<AccountId> {
	/// A device that asked, and its owner.
	Served(AccountId, DeviceId),
	/// A device that has left meanwhile.
	Gone,
	/// Nothing, or nothing that fits.
	Wait,
}

/// What is asked of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Start {
	/// The kind of work, if a lease leaves room for that.
	pub(crate) kind: WorkKind,
	/// Whether somebody asked for the start.
	pub(crate) is_asked: bool,
	/// Whether the device runs a lease.
	pub(crate) is_leased: bool,
}

/// What became of a device that was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Visit {
	/// A round of it began.
	Opened,
	/// Nothing.
	Passed,
	/// It is gone, and forgotten.
	Dropped,
}

impl Visit {
	fn weight<T: Config>(self) -> Weight {
		match self {
			Visit::Opened => T::WeightInfo::open_round(),
			Visit::Passed => T::WeightInfo::visit_candidate(),
			Visit::Dropped => T::WeightInfo::drop_candidate(),
		}
	}
}

/// What an owner's devices that work draw, by site, in milliwatts.
pub(crate) type SiteLoads = BTreeMap<SiteId, u64>;

impl<T: Config> Pallet<T> {
	/// One block's part: draws first, with half of the block's room and at most one group more, then
	/// requests with the rest, which is more than a group.
	pub(crate) fn draw_rounds(block: BlockNumberFor<T>) -> Weight {
		let mut weight = T::WeightInfo::draw_base();
		let beacon = Self::advance_beacon();
		let Some(context) = Self::draw_context(block, beacon, T::Clock::now()) else {
			return weight;
		};
		let room = T::MaxRoundsPerBlock::get();
		let mut spent = 0u32;
		// An owner takes a place, and each of its devices that is looked at.
		let mut account = |spent: &mut u32, visits: Vec<Visit>| {
			spent.saturating_inc();
			weight.saturating_accrue(T::WeightInfo::visit_owner());
			for visit in visits {
				spent.saturating_inc();
				weight.saturating_accrue(visit.weight::<T>());
			}
		};
		for pick in 0..Self::picks(&context) {
			if spent >= room / 2 {
				break;
			}
			let visits = match Self::drawn(&context, pick) {
				Some(owner) => Self::start(&context, &owner, None),
				None => Vec::new(),
			};
			account(&mut spent, visits);
		}
		while spent < room {
			let visits = match Self::dequeue(room.saturating_sub(spent)) {
				Queued::Wait => break,
				Queued::Gone => Vec::new(),
				Queued::Served(owner, device) => Self::start(&context, &owner, Some(device)),
			};
			account(&mut spent, visits);
		}
		weight
	}

	/// Takes the block's randomness into the beacon. Nothing else goes in: whoever could vary what does
	/// could draw again.
	pub(crate) fn advance_beacon() -> H256 {
		let (random, _) = T::Randomness::random(b"armature/challenge");
		let beacon = (b"chlb", Beacon::<T>::get(), random);
		let beacon = H256(beacon.using_encoded(sp_io::hashing::blake2_256));
		Beacon::<T>::put(beacon);
		beacon
	}

	/// What this block's rounds share; `None` when the block draws none.
	pub(crate) fn draw_context(
		block: BlockNumberFor<T>,
		beacon: H256,
		now: Moment,
	) -> Option<DrawContext<T>> {
		// Before the first timestamp there is no time from which a deadline could run.
		if now == 0 || Owners::<T>::count() == 0 {
			return None;
		}
		let parameters = Params::<T>::get();
		let verifiers = ActiveVerifiers::<T>::get();
		if verifiers.len() < parameters.quorum() {
			Self::note_no_verifiers(&parameters, block);
			return None;
		}
		Some(DrawContext { parameters, verifiers, beacon, block, now })
	}

	/// How many places of the list of owners this block looks at: so many that each is looked at with
	/// `max_share` within `round_interval_blocks`, the fraction by lot.
	pub(crate) fn picks(context: &DrawContext<T>) -> u32 {
		let Parameters { round_interval_blocks, max_share, .. } = context.parameters;
		let wanted = u128::from(Owners::<T>::count()).saturating_mul(max_share.0.into());
		let per = u128::from(round_interval_blocks).saturating_mul(Ppm::ONE.0.into()).max(1);
		let (whole, rest) = (wanted / per, wanted % per);
		let (point, _) = Self::lots(context, b"chln", 0);
		let more = u128::from(u128::from(point).saturating_mul(per) >> 64 < rest);
		whole.saturating_add(more).saturated_into()
	}

	/// The owner at a place by lot, if its share is hit there.
	fn drawn(context: &DrawContext<T>, pick: u32) -> Option<T::AccountId> {
		let (place, point) = Self::lots(context, b"chlo", pick);
		let owners = u128::from(Owners::<T>::count());
		let index = u128::from(place).saturating_mul(owners) >> 64;
		let owner = OwnerIndex::<T>::get(u32::try_from(index).ok()?)?;
		let Parameters { min_share, max_share, .. } = context.parameters;
		let share = Owners::<T>::get(&owner)?.share.clamp(min_share, max_share);
		let point = u128::from(point).saturating_mul(max_share.0.into()) >> 64;
		(point < u128::from(share.0)).then_some(owner)
	}

	/// Two times 64 bits of the beacon.
	fn lots(context: &DrawContext<T>, purpose: &[u8; 4], number: u32) -> (u64, u64) {
		let lot = (purpose, context.beacon, number).using_encoded(sp_io::hashing::blake2_128);
		let lot = u128::from_le_bytes(lot);
		let (low, high) = (lot & u128::from(u64::MAX), lot >> 64);
		(low.saturated_into(), high.saturated_into())
	}

	/// Takes the front of the queue off, unless what is started with it does not fit into `left`.
	pub(crate) fn dequeue(left: u32) -> Queued<T::AccountId> {
		let QueueBounds { head, tail } = QueueEnds::<T>::get();
		if head >= tail {
			return Queued::Wait;
		}
		let waiting = Queue::<T>::get(head).and_then(|device| {
			let owner = Enrolments::<T>::get(device)?.owner;
			// A device that left and came back can have an old entry.
			let record = Owners::<T>::get(&owner).filter(|record| record.queued == Some(device))?;
			Some((owner, device, record.devices))
		});
		if let Some((_, _, devices)) = &waiting {
			if left <= (*devices).min(Self::largest_group()) {
				return Queued::Wait;
			}
		}
		Queue::<T>::remove(head);
		QueueEnds::<T>::put(QueueBounds { head: head.saturating_add(1), tail });
		let Some((owner, device, _)) = waiting else { return Queued::Gone };
		Self::change_owner(&owner, |record| record.queued = None);
		Queued::Served(owner, device)
	}

	/// The most devices of one owner that start together: what a quarter of a block has room for beside
	/// the owner itself.
	pub(crate) fn largest_group() -> u32 {
		(T::MaxRoundsPerBlock::get() / 4).saturating_sub(1).max(1)
	}

	/// Starts the devices of an owner that may be challenged now, unless some of them work or all rest: the
	/// one that was asked for first, the others in an order by lot. What shares a machine must not get it for
	/// itself by starting after or without the others, so that nobody starts for one that may not. Returns
	/// what became of those that were looked at.
	pub(crate) fn start(
		context: &DrawContext<T>,
		owner: &T::AccountId,
		asked: Option<DeviceId>,
	) -> Vec<Visit> {
		let record = Owners::<T>::get(owner)
			.filter(|record| context.now >= record.rests_until && record.open == 0);
		let Some(record) = record else { return Vec::new() };
		if asked.is_some_and(Self::is_in_maintenance) {
			return Vec::new();
		}
		let mut loads = SiteLoads::new();
		let kind = Self::kind_of_start(context, &record, asked);
		Self::devices_of(context, owner, record.devices, asked)
			.into_iter()
			.map(|device| Self::visit(context, device, asked, kind, &mut loads))
			.collect()
	}

	/// What all devices of an owner are asked to do: what the one that was asked for lacks, or by lot. It
	/// is the same for all, so that what shares a machine has to share that.
	pub(crate) fn kind_of_start(
		context: &DrawContext<T>,
		record: &OwnerRecord,
		asked: Option<DeviceId>,
	) -> WorkKind {
		if let Some(device) = asked {
			let known = Self::valid_performance(&context.parameters, device, context.now);
			match (known.cpu, known.memory, known.network) {
				(None, ..) => return WorkKind::Cpu,
				(_, None, _) => return WorkKind::Memory,
				(.., None) => return WorkKind::Network,
				_ => {},
			}
		}
		let (point, _) = Self::lots(context, b"chlk", record.index);
		let point = u128::from(point).saturating_mul(Ppm::ONE.0.into()) >> 64;
		let Parameters { memory_part, network_part, .. } = context.parameters;
		match point.checked_sub(memory_part.0.into()) {
			None => WorkKind::Memory,
			Some(point) if point < u128::from(network_part.0) => WorkKind::Network,
			Some(_) => WorkKind::Cpu,
		}
	}

	/// All devices of an owner, or, of more than start together, as many at random; one that is picked
	/// twice counts once. The one that was `asked` for comes first, then the others in an order by lot.
	pub(crate) fn devices_of(
		context: &DrawContext<T>,
		owner: &T::AccountId,
		count: u32,
		asked: Option<DeviceId>,
	) -> Vec<DeviceId> {
		let group = Self::largest_group();
		let place = |pick| {
			if count <= group {
				return pick;
			}
			let (point, _) = Self::lots(context, b"chlg", pick);
			let place = u128::from(point).saturating_mul(count.into()) >> 64;
			u32::try_from(place).unwrap_or_default()
		};
		let picked: BTreeSet<_> = (0..group.min(count))
			.filter_map(|pick| OwnedDevices::<T>::get(owner, place(pick)))
			.chain(asked)
			.collect();
		let mut devices: Vec<_> = picked
			.into_iter()
			.map(|device| {
				let (lot, _) = Self::lots(context, b"chld", device.0);
				(asked != Some(device), lot, device)
			})
			.collect();
		devices.sort();
		let most = group.saturated_into();
		devices.into_iter().map(|(.., device)| device).take(most).collect()
	}

	/// Looks at one device of a start, for which one was `asked` for or none, and opens a round if it is
	/// due.
	pub(crate) fn visit(
		context: &DrawContext<T>,
		device: DeviceId,
		asked: Option<DeviceId>,
		kind: WorkKind,
		loads: &mut SiteLoads,
	) -> Visit {
		let gone = [DeviceStatus::Jailed, DeviceStatus::Retired];
		let info = match T::Devices::device(device) {
			Some(info) if !gone.contains(&info.status) => info,
			_ => {
				Self::unenrol(device);
				return Visit::Dropped;
			},
		};
		let may = !Self::is_in_maintenance(device)
			&& if asked == Some(device) {
				Self::may_request(info.status)
			} else {
				Self::may_draw(info.status)
			};
		// An owner has open rounds of its own devices only, but for one that has left and come back.
		let may = may && !OpenRounds::<T>::contains_key(device);
		let due = may && Self::fits(device, &info, loads);
		let start =
			Start { kind, is_asked: asked.is_some(), is_leased: due && T::Busy::is_busy(device) };
		if due && Self::open_round(context, device, &info, start) {
			Visit::Opened
		} else {
			Visit::Passed
		}
	}

	/// Whether the site's circuit carries the device beside those already started; one alone may
	/// always. What a device draws is not known before its first round.
	fn fits(device: DeviceId, info: &DeviceInfo<T::AccountId>, loads: &mut SiteLoads) -> bool {
		let Some(site) = T::Devices::site(info.site) else { return true };
		let wall = T::Energy::wall_power(device, info.lanes).map_or(0, |power| u64::from(power.0));
		let load = loads.entry(info.site).or_default();
		let sum = load.saturating_add(wall);
		if *load > 0 && sum > u64::from(site.power_cap.continuous().0) {
			return false;
		}
		*load = sum;
		true
	}

	/// Says that a due round found too few verifiers, at most once per interval.
	pub(crate) fn note_no_verifiers(parameters: &Parameters, block: BlockNumberFor<T>) {
		let interval = parameters.round_interval_blocks.into();
		if NoVerifiersAt::<T>::get().is_none_or(|last| block >= last.saturating_add(interval)) {
			NoVerifiersAt::<T>::put(block);
			Self::deposit_event(Event::NoVerifiers);
		}
	}
}
