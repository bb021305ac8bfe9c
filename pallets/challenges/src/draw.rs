//! Which owners' devices are challenged, and when: requests, and draws.

use crate::{pallet::*, types::*, weights::WeightInfo};
use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
use armature_primitives::{
	challenge::WorkKind,
	device::{DeviceInfo, DeviceStatus},
	telemetry::PowerLoad,
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

/// What an owner's devices that work draw, by site, in milliwatts.
pub(crate) type SiteLoads = BTreeMap<SiteId, u64>;

impl<T: Config> Pallet<T> {
	/// Sets aside what draws may take at the end of this block, and returns its weight: for each place of the
	/// list that may be looked at and each request that waits, an owner and as many devices as start together;
	/// no more than a block has room for.
	pub(crate) fn set_aside() -> Weight {
		let owners = Owners::<T>::count();
		let QueueBounds { head, tail } = QueueEnds::<T>::get();
		let looks = if owners == 0 {
			0
		} else {
			// By lot a place more.
			let (whole, _) = Self::wanted_picks(&Params::<T>::get(), owners);
			whole
				.saturating_add(1)
				.saturating_add(tail.saturating_sub(head).saturated_into())
		};
		let room = looks.saturating_mul(Self::places()).min(T::MaxRoundsPerBlock::get());
		SetAside::<T>::put(room);
		let dearest = T::WeightInfo::visit_owner()
			.max(T::WeightInfo::open_round())
			.max(T::WeightInfo::visit_candidate())
			.max(T::WeightInfo::drop_candidate());
		T::WeightInfo::draw_base().saturating_add(dearest.saturating_mul(room.into()))
	}

	/// What an owner with as many devices as start together takes of a block's room.
	fn places() -> u32 {
		Self::largest_group().saturating_add(1)
	}

	/// One block's part: draws first, with half of the block's room and at most one group more, then
	/// requests with the rest, which is more than a group. All within what was set aside.
	pub(crate) fn draw_rounds(block: BlockNumberFor<T>) {
		let room = SetAside::<T>::take();
		let beacon = Self::advance_beacon();
		let Some(context) = Self::draw_context(block, beacon, T::Clock::now()) else { return };
		let mut spent = 0u32;
		// An owner takes a place, and each of its devices that is looked at.
		let account = |spent: &mut u32, visits: Vec<Visit>| {
			*spent = spent.saturating_add(1).saturating_add(visits.len().saturated_into());
		};
		for pick in 0..Self::picks(&context) {
			let is_full = spent.saturating_add(Self::places()) > room;
			if is_full || spent >= T::MaxRoundsPerBlock::get() / 2 {
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
		let (whole, rest) = Self::wanted_picks(&context.parameters, Owners::<T>::count());
		let (point, _) = Self::lots(context, b"chln", 0);
		// As a share of 2^64.
		whole.saturating_add((point < rest).into())
	}

	/// How many places of the list are looked at in each block, and the fraction beside, as a share of 2^64.
	fn wanted_picks(parameters: &Parameters, owners: u32) -> (u32, u64) {
		let Parameters { round_interval_blocks, max_share, .. } = *parameters;
		let wanted = u128::from(owners).saturating_mul(max_share.0.into());
		let per = u128::from(round_interval_blocks).saturating_mul(Ppm::ONE.0.into()).max(1);
		let rest = (wanted % per).saturating_mul(1 << 64) / per;
		((wanted / per).saturated_into(), rest.saturated_into())
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
		let devices = Self::devices_of(context, owner, record.devices, asked);
		let kind = Self::kind_of_start(context, &record, &devices, asked);
		devices
			.into_iter()
			.map(|device| Self::visit(context, device, asked, kind, &mut loads))
			.collect()
	}

	/// What all `devices` of an owner are asked to do: what the one that was asked for lacks, or by lot. It
	/// is the same for all, so that what shares a machine has to share that. Lanes where the lot is what none
	/// of them that may start offers.
	pub(crate) fn kind_of_start(
		context: &DrawContext<T>,
		record: &OwnerRecord,
		devices: &[DeviceId],
		asked: Option<DeviceId>,
	) -> WorkKind {
		if let Some(device) = asked {
			let known = Self::valid_performance(&context.parameters, device, context.now);
			let beside = T::Busy::is_busy(device);
			if let Some(kind) = Self::lacking(&context.parameters, device, &known, beside) {
				return kind;
			}
		}
		let (point, _) = Self::lots(context, b"chlk", record.index);
		let point = u128::from(point).saturating_mul(Ppm::ONE.0.into()) >> 64;
		let drawn = Self::kind_at(&context.parameters, point);
		// One that cannot start must not spare the others.
		let starts = |device: &DeviceId| {
			Self::offers(&context.parameters, *device, drawn)
				&& T::Devices::device(*device)
					.is_some_and(|info| Self::may_start(*device, info.status, asked))
		};
		if drawn == WorkKind::Cpu || devices.iter().any(starts) {
			drawn
		} else {
			WorkKind::Cpu
		}
	}

	/// The kind of work that a point, in parts of a million, is in; lanes have what is left.
	fn kind_at(parameters: &Parameters, point: u128) -> WorkKind {
		let Parameters { memory_part, network_part, gemm_part, storage_part, .. } = *parameters;
		let upto_memory = u128::from(memory_part.0);
		let upto_network = upto_memory.saturating_add(network_part.0.into());
		let upto_gemm = upto_network.saturating_add(gemm_part.0.into());
		let upto_storage = upto_gemm.saturating_add(storage_part.0.into());
		if point < upto_memory {
			WorkKind::Memory
		} else if point < upto_network {
			WorkKind::Network
		} else if point < upto_gemm {
			WorkKind::Gemm
		} else if point < upto_storage {
			WorkKind::Storage
		} else {
			WorkKind::Cpu
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
		let may = Self::may_start(device, info.status, asked);
		// What shares a machine with an accelerator must not get it for its lanes while that multiplies; nor
		// with a disk.
		let may = may && Self::offers(&context.parameters, device, kind);
		// An owner has open rounds of its own devices only, but for one that has left and come back.
		let may = may && !OpenRounds::<T>::contains_key(device);
		let due = may && Self::fits(device, &info, kind, loads);
		let start =
			Start { kind, is_asked: asked.is_some(), is_leased: due && T::Busy::is_busy(device) };
		if due && Self::open_round(context, device, &info, start) {
			Visit::Opened
		} else {
			Visit::Passed
		}
	}

	/// Whether a device in this state may start, where one was `asked` for or none.
	fn may_start(device: DeviceId, status: DeviceStatus, asked: Option<DeviceId>) -> bool {
		let may =
			if asked == Some(device) { Self::may_request(status) } else { Self::may_draw(status) };
		may && !Self::is_in_maintenance(device)
	}

	/// Whether the site's circuit carries the device beside those already started; one alone may
	/// always. What a device draws is not known before its first round.
	fn fits(
		device: DeviceId,
		info: &DeviceInfo<T::AccountId>,
		kind: WorkKind,
		loads: &mut SiteLoads,
	) -> bool {
		let Some(site) = T::Devices::site(info.site) else { return true };
		let with = |load| T::Energy::full_power(device, load);
		let wall = match kind {
			// Before it has computed any products, or where its figures were none.
			WorkKind::Gemm => with(PowerLoad::Accelerator).or_else(|_| with(PowerLoad::Lanes)),
			WorkKind::Cpu | WorkKind::Memory | WorkKind::Network | WorkKind::Storage => {
				with(PowerLoad::Lanes)
			},
		};
		let wall = wall.map_or(0, |power| u64::from(power.0));
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
