//! Random sequences of calls and hooks. After each:
//!
//! INV1. `do_try_state` holds.
//! INV2. Total issuance fell by exactly what was slashed.
//! INV3. What accounts lost, free and held together, is exactly what was slashed.
//! INV4. A failed call changed nothing (`frame_support::storage::with_storage_layer` as calls do).

use super::*;
use armature_economics::slashing::slash_amount;
use armature_primitives::{device::Tier, traits::DeviceLifecycle};
use frame_support::{storage::with_storage_layer, traits::fungible::InspectHold};
use proptest::prelude::*;
use sp_runtime::DispatchResult;

#[derive(Clone, Debug)]
enum Op {
	RegisterProvider(AccountId),
	DeregisterProvider(AccountId),
	RegisterSite(AccountId),
	RemoveSite(AccountId, u32),
	RegisterRack(AccountId, u32),
	RemoveRack(AccountId, u32),
	RegisterDevice { who: AccountId, site: u32, rack: Option<u32>, seed: u8, lanes: u16 },
	Drain(AccountId, u32),
	Resume(AccountId, u32),
	ClearJail(AccountId, u32),
	Retire(AccountId, u32),
	Withdraw(AccountId, u32),
	SetBond(Balance),
	Attested(u32),
	AttestationLost(u32),
	Alive(u32),
	Suspect(u32),
	Offline(u32),
	Profitable(u32, bool),
	Slash(u32, u32),
	Busy(u32),
	Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
	let who =
		|| prop_oneof![6 => Just(ALICE), 2 => Just(BOB), 1 => Just(OPERATOR), 1 => Just(POOR)];
	let small = || 0u32..4;
	prop_oneof![
		1 => who().prop_map(Op::RegisterProvider),
		1 => who().prop_map(Op::DeregisterProvider),
		3 => who().prop_map(Op::RegisterSite),
		1 => (who(), small()).prop_map(|(a, b)| Op::RemoveSite(a, b)),
		3 => (who(), small()).prop_map(|(a, b)| Op::RegisterRack(a, b)),
		1 => (who(), small()).prop_map(|(a, b)| Op::RemoveRack(a, b)),
		8 => (who(), small(), prop::option::of(small()), 1u8..8, 0u16..20).prop_map(
			|(who, site, rack, seed, lanes)| Op::RegisterDevice { who, site, rack, seed, lanes }
		),
		2 => (who(), small()).prop_map(|(a, b)| Op::Drain(a, b)),
		2 => (who(), small()).prop_map(|(a, b)| Op::Resume(a, b)),
		3 => (who(), small()).prop_map(|(a, b)| Op::ClearJail(a, b)),
		2 => (who(), small()).prop_map(|(a, b)| Op::Retire(a, b)),
		3 => (who(), small()).prop_map(|(a, b)| Op::Withdraw(a, b)),
		1 => (0u128..20_000).prop_map(Op::SetBond),
		4 => small().prop_map(Op::Attested),
		1 => small().prop_map(Op::AttestationLost),
		3 => small().prop_map(Op::Alive),
		1 => small().prop_map(Op::Suspect),
		1 => small().prop_map(Op::Offline),
		1 => (small(), any::<bool>()).prop_map(|(a, b)| Op::Profitable(a, b)),
		3 => (small(), 0u32..1_200_000).prop_map(|(a, b)| Op::Slash(a, b)),
		1 => small().prop_map(Op::Busy),
		3 => (0u64..40_000).prop_map(Op::Wait),
	]
}

fn apply(op: Op) -> DispatchResult {
	match op {
		Op::RegisterProvider(who) => DevicesPallet::register_provider(signed(who), Some(OPERATOR)),
		Op::DeregisterProvider(who) => DevicesPallet::deregister_provider(signed(who)),
		Op::RegisterSite(who) => {
			DevicesPallet::register_site(signed(who), RegionId(1), MilliWatts(9), Ppm::ONE)
		},
		Op::RemoveSite(who, site) => DevicesPallet::remove_site(signed(who), SiteId(site)),
		Op::RegisterRack(who, site) => DevicesPallet::register_rack(signed(who), SiteId(site)),
		Op::RemoveRack(who, rack) => DevicesPallet::remove_rack(signed(who), RackId(rack)),
		Op::RegisterDevice { who, site, rack, seed, lanes } => Registration {
			who,
			rack: rack.map(RackId),
			lanes,
			..Registration::new(SiteId(site), seed)
		}
		.submit(),
		Op::Drain(who, device) => DevicesPallet::drain_device(signed(who), DeviceId(device)),
		Op::Resume(who, device) => DevicesPallet::resume_device(signed(who), DeviceId(device)),
		Op::ClearJail(who, device) => DevicesPallet::clear_jail(signed(who), DeviceId(device)),
		Op::Retire(who, device) => DevicesPallet::retire_device(signed(who), DeviceId(device)),
		Op::Withdraw(who, device) => DevicesPallet::withdraw_bond(signed(who), DeviceId(device)),
		Op::SetBond(device_bond) => DevicesPallet::set_parameters(
			RuntimeOrigin::root(),
			DeviceParameters { device_bond, ..parameters() },
		),
		hook => {
			match hook {
				Op::Attested(device) => Pallet::<Test>::on_attested(DeviceId(device), Tier::T0),
				Op::AttestationLost(device) => {
					Pallet::<Test>::on_attestation_lost(DeviceId(device))
				},
				Op::Alive(device) => Pallet::<Test>::on_alive(DeviceId(device)),
				Op::Suspect(device) => Pallet::<Test>::on_suspect(DeviceId(device)),
				Op::Offline(device) => Pallet::<Test>::on_offline(DeviceId(device)),
				Op::Profitable(device, yes) => {
					Pallet::<Test>::on_profitability(DeviceId(device), yes)
				},
				Op::Slash(device, share) => {
					let bond = Devices::<Test>::get(DeviceId(device)).map_or(0, |d| d.bond);
					let taken = Pallet::<Test>::slash(DeviceId(device), Ppm(share));
					assert_eq!(taken, slash_amount(bond, Ppm(share)));
				},
				Op::Busy(device) => BusyDevices::set(vec![DeviceId(device)]),
				Op::Wait(millis) => advance(millis),
				other => unreachable!("{other:?}"),
			}
			Ok(())
		},
	}
}

/// Free and held money of all accounts.
fn wealth() -> Balance {
	[ALICE, BOB, OPERATOR, POOR]
		.iter()
		.map(|who| free(*who) + Balances::total_balance_on_hold(who))
		.sum()
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(128))]

	#[test]
	fn money_and_records_should_add_up_after_every_operation(
		ops in prop::collection::vec(op(), 1..80),
	) {
		new_test_ext().execute_with(|| {
			assert_ok!(DevicesPallet::register_provider(signed(ALICE), None));
			add_site(ALICE);
			let (issuance, before) = (Balances::total_issuance(), wealth());
			for op in ops {
				let text = format!("{op:?}");
				let root = sp_io::storage::root(sp_runtime::StateVersion::V1);
				let result = with_storage_layer(|| apply(op));
				if result.is_err() {
					assert_eq!(root, sp_io::storage::root(sp_runtime::StateVersion::V1), "{text}");
				}
				Pallet::<Test>::do_try_state().unwrap_or_else(|e| panic!("{text}: {e:?}"));
				assert_eq!(Balances::total_issuance(), issuance - Slashed::get(), "{text}");
				assert_eq!(wealth(), before - Slashed::get(), "{text}");
			}
		});
	}
}
