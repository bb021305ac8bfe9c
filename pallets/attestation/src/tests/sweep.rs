use super::*;
use frame_support::{
	traits::{Get, Hooks},
	weights::Weight,
};

fn unit(weight: Weight, times: u64) -> Weight {
	weight.saturating_mul(times)
}

fn told_of(event: Event<Test>) -> usize {
	events().into_iter().filter(|other| *other == event).count()
}

#[test]
fn sweep_should_announce_the_end_then_the_grace_then_tell_of_the_loss_each_once() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		Trace::set(Vec::new());
		let expires_at = START + 10_000;
		let expiring = || told_of(Event::AttestationExpiring { device: DEVICE, expires_at });
		let until = START + 11_500;
		let in_grace = || told_of(Event::AttestationInGrace { device: DEVICE, until });
		let expired = || told_of(Event::AttestationExpired { device: DEVICE });

		advance(6_999);
		sweep_blocks(3);
		assert_eq!(expiring(), 0);
		advance(1);
		sweep_blocks(4);
		assert_eq!(expiring(), 1);
		advance(2_999);
		sweep_blocks(3);
		assert_eq!(in_grace(), 0);
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), Some(Tier::T2));

		advance(1);
		// No tier at once, swept or not.
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), None);
		sweep_blocks(4);
		assert_eq!(in_grace(), 1);
		assert!(record(DEVICE).lapsed);
		advance(1_499);
		sweep_blocks(3);
		assert_eq!((expired(), Trace::get().len()), (0, 0));
		assert_eq!(HardwareOwners::<Test>::get(chip_id(0)), Some(DEVICE));

		advance(1);
		sweep_blocks(4);
		assert_eq!((expiring(), in_grace(), expired()), (1, 1, 1));
		assert_eq!(Trace::get(), vec![Told::Lost(DEVICE), Told::LeasesLost(DEVICE)]);
		assert_eq!(Attestations::<Test>::get(DEVICE), None);
		assert_eq!(HardwareOwners::<Test>::get(chip_id(0)), None);
	});
}

#[test]
fn sweep_should_end_a_record_at_once_when_there_is_no_grace_or_it_comes_late() {
	run_with_device(|| {
		let no_grace = AttestationParameters { grace: 0, ..parameters() };
		assert_ok!(AttestationPallet::set_parameters(RuntimeOrigin::root(), no_grace));
		assert_ok!(attest(DEVICE));
		advance(10_000);
		sweep_blocks(2);
		assert_eq!(Attestations::<Test>::get(DEVICE), None);
		assert_eq!(last_event(), Event::AttestationExpired { device: DEVICE });
	});
}

#[test]
fn an_attestation_in_grace_should_be_revoked_and_replaced_like_any_other() {
	run_with_device(|| {
		assert_ok!(attest(DEVICE));
		assert_ok!(attest(OTHER));
		advance(10_000);
		sweep_blocks(2);
		assert!(record(DEVICE).lapsed && record(OTHER).lapsed);
		assert_ok!(AttestationPallet::revoke(RuntimeOrigin::root(), DEVICE));
		assert_ok!(attest(OTHER));
		assert_eq!(Pallet::<Test>::tier(OTHER, Now::get()), Some(Tier::T0));
		assert!(!record(OTHER).lapsed && !record(OTHER).warned);
	});
}

#[test]
fn sweep_should_remove_renewals_that_cannot_be_disputed_any_more() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		advance(7_000);
		assert_ok!(renew_with(DEVICE, |device| snp(device, 0)));
		advance(3_999);
		sweep_blocks(2);
		assert!(PendingRenewals::<Test>::contains_key(DEVICE));
		assert!(Pallet::<Test>::pending_renewal(DEVICE).is_some());
		advance(1);
		assert_eq!(Pallet::<Test>::pending_renewal(DEVICE), None);
		sweep_blocks(2);
		assert!(!PendingRenewals::<Test>::contains_key(DEVICE));
	});
}

#[test]
fn sweep_should_leave_a_renewed_attestation_alone() {
	run_with_device(|| {
		assert_ok!(attest(DEVICE));
		advance(9_000);
		assert_ok!(attest(DEVICE));
		Trace::set(Vec::new());
		advance(1_000);
		sweep_blocks(3);
		assert!(Trace::get().is_empty());
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), Some(Tier::T0));
	});
}

#[test]
fn sweep_should_remove_expired_nonces_only() {
	run_with_device(|| {
		assert_ok!(AttestationPallet::request_nonce(signed(PROVIDER), DEVICE));
		advance(499);
		sweep_blocks(3);
		assert!(Nonces::<Test>::contains_key(DEVICE));
		advance(1);
		sweep_blocks(3);
		assert!(!Nonces::<Test>::contains_key(DEVICE));
	});
}

#[test]
fn sweep_should_reach_every_record_within_its_bound_per_block() {
	run(|| {
		for id in 0..10 {
			add_device(DeviceId(id), DeviceStatus::Registered);
			assert_ok!(attest(DeviceId(id)));
		}
		Trace::set(Vec::new());
		advance(11_500);
		let bound: u32 = <Test as Config>::MaxSweepPerBlock::get();
		for block in 1..=4u32 {
			sweep();
			let ended = (block * bound).min(10);
			assert_eq!(Trace::get().len() as u32, 2 * ended);
			assert_eq!(Attestations::<Test>::iter().count() as u32, 10 - ended);
		}
		// The round ended: the next begins anew, and tells nothing twice.
		assert_eq!(AttestationCursor::<Test>::get(), None);
		sweep_blocks(8);
		assert_eq!(Trace::get().len(), 20);
	});
}

#[test]
fn sweep_should_use_no_more_weight_than_there_is() {
	run(|| {
		for id in 0..4 {
			add_device(DeviceId(id), DeviceStatus::Registered);
			assert_ok!(attest(DeviceId(id)));
			assert_ok!(AttestationPallet::request_nonce(signed(PROVIDER), DeviceId(id)));
		}
		Trace::set(Vec::new());
		advance(11_500);
		let base = <() as WeightInfo>::sweep_base();
		let look = <() as WeightInfo>::sweep_attestation();
		let record = look
			.saturating_add(<() as WeightInfo>::sweep_end(0))
			.saturating_add(LeaseEndWeight::get());
		let nonce = <() as WeightInfo>::sweep_nonce();
		let none = <() as WeightInfo>::sweep_pending();

		let short = base.saturating_sub(Weight::from_parts(1, 0));
		assert_eq!(AttestationPallet::on_idle(1, short), Weight::zero());
		assert_eq!(AttestationPallet::on_idle(1, base), base);
		assert!(Trace::get().is_empty());

		// Looking is paid, ending is not: the record stays, and is the next again.
		let half = base.saturating_add(look);
		assert_eq!(AttestationPallet::on_idle(1, half), half);
		assert_eq!((AttestationCursor::<Test>::get(), Trace::get().len()), (None, 0));

		let two = base.saturating_add(unit(record, 2));
		assert_eq!(AttestationPallet::on_idle(1, two), two);
		assert_eq!(Trace::get().len(), 4);
		assert_eq!(Nonces::<Test>::iter().count(), 4);

		// Two records and the end of their round, three nonces, and the end of no renewals.
		let all = base
			.saturating_add(unit(record, 2))
			.saturating_add(look)
			.saturating_add(unit(nonce, 3))
			.saturating_add(none);
		assert_eq!(sweep(), all);
		assert_eq!(Trace::get().len(), 8);
		assert_eq!(Nonces::<Test>::iter().count(), 1);
	});
}

#[test]
fn sweep_should_go_on_when_the_record_at_its_cursor_is_gone() {
	run(|| {
		for id in 0..6 {
			add_device(DeviceId(id), DeviceStatus::Registered);
			assert_ok!(attest(DeviceId(id)));
		}
		advance(10_000);
		sweep();
		let at = AttestationCursor::<Test>::get().unwrap();
		assert_ok!(AttestationPallet::revoke(RuntimeOrigin::root(), at));
		sweep();
		sweep();
		let lapsed = Attestations::<Test>::iter_values().filter(|record| record.lapsed).count();
		assert_eq!(lapsed, 5);
	});
}
