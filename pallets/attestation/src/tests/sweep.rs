use super::*;
use frame_support::{
	traits::{Get, Hooks},
	weights::Weight,
};

/// One block's sweep with all the weight it may want. Returns what it used.
fn sweep() -> Weight {
	AttestationPallet::on_idle(1, Weight::MAX)
}

/// The sweeps of some blocks.
fn sweep_blocks(blocks: u32) {
	for _ in 0..blocks {
		sweep();
	}
}

fn unit(weight: Weight, times: u64) -> Weight {
	weight.saturating_mul(times)
}

#[test]
fn sweep_should_tell_of_the_end_and_remove_after_the_grace() {
	run_with_device(|| {
		assert_ok!(attest(DEVICE));
		Trace::set(Vec::new());
		advance(9_999);
		sweep_blocks(3);
		assert!(Trace::get().is_empty());

		advance(1);
		sweep_blocks(5);
		assert_eq!(Trace::get(), vec![Told::Lost(DEVICE)]);
		let expired: Vec<_> = System::events()
			.into_iter()
			.filter(|record| {
				record.event == RuntimeEvent::from(Event::AttestationExpired { device: DEVICE })
			})
			.collect();
		assert_eq!(expired.len(), 1);
		assert!(Attestations::<Test>::get(DEVICE).unwrap().lapsed);

		advance(2_999);
		sweep_blocks(3);
		assert!(Attestations::<Test>::contains_key(DEVICE));
		assert!(Ended::get().is_empty(), "it could still be attested again");
		advance(1);
		sweep_blocks(3);
		assert!(!Attestations::<Test>::contains_key(DEVICE));
		assert_eq!(Trace::get(), vec![Told::Lost(DEVICE)]);
		assert_eq!(Ended::get(), vec![DEVICE]);
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
		advance(10_000);
		let bound: u32 = <Test as Config>::MaxSweepPerBlock::get();
		for block in 1..=4u32 {
			sweep();
			assert_eq!(Trace::get().len() as u32, (block * bound).min(10));
		}
		// The round ended: the next begins anew, and tells nothing twice.
		assert_eq!(AttestationCursor::<Test>::get(), None);
		sweep_blocks(8);
		assert_eq!(Trace::get().len(), 10);
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
		advance(10_000);
		let base = <() as WeightInfo>::sweep_base();
		let record = <() as WeightInfo>::sweep_attestation();
		let nonce = <() as WeightInfo>::sweep_nonce();

		let short = base.saturating_sub(Weight::from_parts(1, 0));
		assert_eq!(AttestationPallet::on_idle(1, short), Weight::zero());
		assert_eq!(AttestationPallet::on_idle(1, base), base);
		assert!(Trace::get().is_empty());

		let two = base.saturating_add(unit(record, 2));
		assert_eq!(AttestationPallet::on_idle(1, two), two);
		assert_eq!(Trace::get().len(), 2);
		assert_eq!(Nonces::<Test>::iter().count(), 4);

		let all = base.saturating_add(unit(record, 3)).saturating_add(unit(nonce, 3));
		assert_eq!(sweep(), all);
		assert_eq!(Trace::get().len(), 4);
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
		Attestations::<Test>::remove(at);
		Trace::set(Vec::new());
		sweep();
		sweep();
		assert_eq!(Trace::get().len(), 3);
	});
}

#[test]
fn sweep_should_wait_with_the_end_of_a_lease_when_there_is_no_weight_for_it() {
	run_with_device(|| {
		assert_ok!(attest(DEVICE));
		advance(10_000);
		sweep_blocks(2);
		advance(3_000);
		let base = <() as WeightInfo>::sweep_base();
		let record = <() as WeightInfo>::sweep_attestation();
		let end = LeaseEndWeight::get();
		let needed = base.saturating_add(record).saturating_add(end);

		let short = needed.saturating_sub(Weight::from_parts(1, 0));
		assert!(AttestationPallet::on_idle(1, short).all_lte(short));
		assert!(Attestations::<Test>::contains_key(DEVICE) && Ended::get().is_empty());

		assert_eq!(AttestationPallet::on_idle(1, needed), needed);
		assert!(!Attestations::<Test>::contains_key(DEVICE));
		assert_eq!(Ended::get(), vec![DEVICE]);
	});
}
