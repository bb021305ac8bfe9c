//! Reads at one block, with the project's own types.

use crate::{
	api,
	chain::{AtBlock, Chain},
	error::{node, Result},
};
use armature_primitives::{
	challenge::Assignment,
	device::Performance,
	energy::{BreakEven, CurrencyCode, QuoteError, Tariff},
	lease::Receipt,
	market::AskTerms,
	telemetry::EpochClock,
	Balance, DeviceId, LeaseId, Moment, OrderId, Ppm, RegionId, RoundId, SiteId, H256,
};
use codec::{DecodeAll, Encode};
use futures::future::try_join_all;
use std::num::NonZeroU64;
use subxt::{
	ext::{frame_decode::view_functions::decode_view_function_response, scale_decode::IntoVisitor},
	utils::{AccountId32, Static},
	view_functions::Payload,
};

pub use api::runtime_types::{
	pallet_attestation::types::{Attestation, IssuedNonce},
	pallet_challenges::{
		parameters::Parameters as ChallengeParameters,
		types::{EndedRound, EnrolmentRecord, LastRounds, OwnerRecord, Round, VerifierRecord},
	},
	pallet_devices::types::{Device, DeviceParameters, Provider, Rack, Site},
	pallet_energy::types::{EnergyParameters, Ledger, PowerRecord},
	pallet_leases::types::{Lease, LeaseState},
	pallet_market::types::{MatchedOrder, OpenOrder},
	pallet_uptime::types::{Orchestrator, UptimeRecord},
};

/// A round trip of a device to a verifier.
pub type RoundTripTo = api::runtime_types::armature_primitives::device::RoundTripTo<AccountId32>;

/// Fetches an optional value of a map.
macro_rules! find {
	($at:expr, $address:expr, $key:expr) => {
		match $at.storage().try_fetch($address, $key).await.map_err(node)? {
			Some(value) => Some(value.decode().map_err(node)?),
			None => None,
		}
	};
}

/// Collects a map: keys by `$part`, values as decoded.
macro_rules! collect {
	($at:expr, $address:expr, $prefix:expr, |$key:ident, $value:ident| $row:expr) => {{
		let mut rows = Vec::new();
		let mut entries = $at.storage().iter($address, $prefix).await.map_err(node)?;
		while let Some(entry) = entries.next().await {
			let entry = entry.map_err(node)?;
			let $key = entry.key().map_err(node)?.decode().map_err(node)?;
			let $value = entry.value().decode().map_err(node)?;
			rows.push($row);
		}
		rows
	}};
}

/// Collects at most `$limit` entries of a map whose keys are ids, in no particular order, and whether those are all.
macro_rules! collect_some {
	($at:expr, $address:expr, $limit:expr, |$value:ident| $row:expr) => {{
		let mut rows = Vec::new();
		let mut entries = $at.storage().iter($address, ()).await.map_err(node)?;
		let mut is_all = true;
		while let Some(entry) = entries.next().await {
			if rows.len() >= $limit {
				is_all = false;
				break;
			}
			let entry = entry.map_err(node)?;
			let key = entry.key().map_err(node)?.decode().map_err(node)?;
			let $value = entry.value().decode().map_err(node)?;
			rows.push((key.0 .0, $row));
		}
		(rows, is_all)
	}};
}

/// Length of a view function's id.
const VIEW_ID_LEN: usize = 32;

/// Calls a view function.
///
/// subxt 0.51 appends the arguments to the id as they are and reads the answer as the bare value,
/// while the runtime API of this SDK takes them as a byte vector and answers
/// `Result<Vec<u8>, error>`; both ends are adapted here.
pub(crate) async fn view<Call: Payload>(at: &AtBlock, call: Call) -> Result<Call::ReturnType> {
	let broken = |what: &str| node(subxt::Error::other_str(format!("view function: {what}")));
	let functions = at.view_functions();
	functions.validate(&call).map_err(node)?;
	let encoded = functions.encode_args(&call).map_err(node)?;
	let (id, arguments) = encoded.split_at_checked(VIEW_ID_LEN).ok_or_else(|| broken("no id"))?;
	let request = [id, arguments.to_vec().encode().as_slice()].concat();
	let answer = functions.call_raw(Some(&request)).await.map_err(node)?;
	let value = match answer.split_first() {
		Some((0, ok)) => Vec::<u8>::decode_all(&mut &*ok).map_err(node)?,
		_ => return Err(broken("refused by the runtime")),
	};
	let metadata = at.metadata_ref();
	decode_view_function_response(
		call.pallet_name(),
		call.function_name(),
		&mut &*value,
		metadata,
		metadata.types(),
		Call::ReturnType::into_visitor(),
	)
	.map_err(|error| broken(&error.to_string()))
}

/// Chain time at the block, in milliseconds since the Unix epoch.
pub async fn now(at: &AtBlock) -> Result<Moment> {
	at.storage()
		.fetch(api::storage().timestamp().now(), ())
		.await
		.map_err(node)?
		.decode()
		.map_err(node)
}

/// A provider, if registered.
pub async fn provider(at: &AtBlock, who: &AccountId32) -> Result<Option<Provider<AccountId32>>> {
	Ok(find!(at, api::storage().devices().providers(), (*who,)))
}

/// The nonce that the next device key of `who` must sign.
pub async fn registration_nonce(at: &AtBlock, who: &AccountId32) -> Result<u32> {
	view(at, api::view_functions().devices().registration_nonce(*who)).await
}

/// Amounts and lengths of the device registry.
pub async fn device_parameters(at: &AtBlock) -> Result<DeviceParameters> {
	at.storage()
		.fetch(api::storage().devices().parameters(), ())
		.await
		.map_err(node)?
		.decode()
		.map_err(node)
}

/// A site.
pub async fn site(at: &AtBlock, id: SiteId) -> Result<Option<Site<AccountId32>>> {
	Ok(find!(at, api::storage().devices().sites(), (Static(id),)))
}

/// All sites, of one provider or of all.
pub async fn sites(
	at: &AtBlock,
	who: Option<&AccountId32>,
) -> Result<Vec<(SiteId, Site<AccountId32>)>> {
	let mut rows =
		collect!(at, api::storage().devices().sites(), (), |key, value| (key.0 .0, value));
	rows.retain(|(_, site)| who.is_none_or(|who| site.provider == *who));
	rows.sort_by_key(|(id, _)| *id);
	Ok(rows)
}

/// All racks of a site.
pub async fn racks(at: &AtBlock, site: SiteId) -> Result<Vec<(armature_primitives::RackId, Rack)>> {
	let mut rows =
		collect!(at, api::storage().devices().racks(), (), |key, value| (key.0 .0, value));
	rows.retain(|(_, rack)| rack.site.0 == site);
	rows.sort_by_key(|(id, _)| *id);
	Ok(rows)
}

/// A device.
pub async fn device(at: &AtBlock, id: DeviceId) -> Result<Option<Device<AccountId32>>> {
	Ok(find!(at, api::storage().devices().devices(), (Static(id),)))
}

/// All devices, of one provider or of all.
pub async fn devices(
	at: &AtBlock,
	who: Option<&AccountId32>,
) -> Result<Vec<(DeviceId, Device<AccountId32>)>> {
	let mut rows =
		collect!(at, api::storage().devices().devices(), (), |key, value| (key.0 .0, value));
	rows.retain(|(_, device)| who.is_none_or(|who| device.provider == *who));
	rows.sort_by_key(|(id, _)| *id);
	Ok(rows)
}

/// A device's attestation, lapsed ones included.
pub async fn attestation(at: &AtBlock, id: DeviceId) -> Result<Option<Attestation>> {
	Ok(find!(at, api::storage().attestation().attestations(), (Static(id),)))
}

/// The nonce that a device may attest with now.
pub async fn attestation_nonce(at: &AtBlock, id: DeviceId) -> Result<Option<IssuedNonce>> {
	Ok(find!(at, api::storage().attestation().nonces(), (Static(id),)))
}

/// From when on a device may renew its attestation.
pub async fn renewable_from(at: &AtBlock, id: DeviceId) -> Result<Option<Moment>> {
	view(at, api::view_functions().attestation().renewable_from(Static(id))).await
}

/// What the chain keeps of a device's leaves.
pub async fn uptime_record(at: &AtBlock, id: DeviceId) -> Result<Option<UptimeRecord>> {
	Ok(find!(at, api::storage().uptime().records(), (Static(id),)))
}

/// A device's availability score, decayed to the block's time.
pub async fn availability(at: &AtBlock, id: DeviceId) -> Result<Option<Ppm>> {
	view(at, api::view_functions().uptime().availability_of(Static(id)))
		.await
		.map(|score| score.map(|score| score.0))
}

/// The network's epochs, and how many full epochs late a leaf may come.
pub async fn uptime_timing(at: &AtBlock) -> Result<(EpochClock, u32)> {
	let parameters = at
		.storage()
		.fetch(api::storage().uptime().parameters(), ())
		.await
		.map_err(node)?
		.decode()
		.map_err(node)?;
	let slot_millis = NonZeroU64::new(parameters.slot_millis)
		.ok_or_else(|| node(subxt::Error::other_str("the chain's slots have no length")))?;
	Ok((EpochClock { slot_millis }, parameters.catch_up_epochs))
}

/// An orchestrator.
pub async fn orchestrator(at: &AtBlock, who: &AccountId32) -> Result<Option<Orchestrator>> {
	Ok(find!(at, api::storage().uptime().orchestrators(), (*who,)))
}

/// The orchestrators of a region with their addresses.
pub async fn orchestrators(
	at: &AtBlock,
	region: Option<RegionId>,
) -> Result<Vec<(AccountId32, RegionId, String)>> {
	let mut rows = collect!(at, api::storage().uptime().orchestrators(), (), |key, value| (
		key.0,
		value.region.0,
		text(&value.address.0)
	));
	rows.retain(|(_, of, _)| region.is_none_or(|region| *of == region));
	Ok(rows)
}

/// A verifier.
pub async fn verifier(at: &AtBlock, who: &AccountId32) -> Result<Option<VerifierRecord>> {
	Ok(find!(at, api::storage().challenges().verifiers(), (*who,)))
}

/// All verifiers with a bond, retired ones included.
pub async fn verifier_records(at: &AtBlock) -> Result<Vec<(AccountId32, VerifierRecord)>> {
	Ok(collect!(at, api::storage().challenges().verifiers(), (), |key, value| (key.0, value)))
}

/// All verifiers that take rounds, with their addresses.
pub async fn verifiers(at: &AtBlock) -> Result<Vec<(AccountId32, String)>> {
	Ok(verifier_records(at)
		.await?
		.into_iter()
		.filter(|(_, record)| record.retired_at.is_none())
		.map(|(who, record)| (who, text(&record.address.0)))
		.collect())
}

/// Lengths, rates and sums of challenges.
pub async fn challenge_parameters(at: &AtBlock) -> Result<ChallengeParameters> {
	at.storage()
		.fetch(api::storage().challenges().params(), ())
		.await
		.map_err(node)?
		.decode()
		.map_err(node)
}

/// A device's enrolment for challenges.
pub async fn enrolment(at: &AtBlock, id: DeviceId) -> Result<Option<EnrolmentRecord<AccountId32>>> {
	Ok(find!(at, api::storage().challenges().enrolments(), (Static(id),)))
}

/// An owner of enrolled devices.
pub async fn enrolled_owner(at: &AtBlock, who: &AccountId32) -> Result<Option<OwnerRecord>> {
	Ok(find!(at, api::storage().challenges().owners(), (*who,)))
}

/// Whether a round of a device may be asked for now.
pub async fn may_request_challenge(at: &AtBlock, id: DeviceId) -> Result<bool> {
	view(at, api::view_functions().challenges().may_request_challenge(Static(id))).await
}

/// The parts of a device's score that are within their age limit.
pub async fn performance(at: &AtBlock, id: DeviceId) -> Result<Performance> {
	view(at, api::view_functions().challenges().performance_of(Static(id)))
		.await
		.map(|score| score.0)
}

/// A device's round trips to verifiers, as long as they count.
pub async fn round_trips(at: &AtBlock, id: DeviceId) -> Result<Vec<RoundTripTo>> {
	view(at, api::view_functions().challenges().round_trips_of(Static(id))).await
}

/// Some scores of devices, at most `limit`, in no particular order, and whether those are all. Some
/// of their parts may be too old to count.
pub async fn some_performances(
	at: &AtBlock,
	limit: usize,
) -> Result<(Vec<(DeviceId, Performance)>, bool)> {
	let address = api::storage().challenges().performances();
	Ok(collect_some!(at, address, limit, |score| score.0))
}

/// The open round of a device.
pub async fn open_round_of(at: &AtBlock, id: DeviceId) -> Result<Option<RoundId>> {
	let found = find!(at, api::storage().challenges().open_rounds(), (Static(id),));
	Ok(found.map(|round| round.0))
}

/// An open round; its task says of which kind it is.
pub async fn round(at: &AtBlock, id: RoundId) -> Result<Option<Round<AccountId32>>> {
	Ok(find!(at, api::storage().challenges().rounds(), (Static(id),)))
}

/// A round that has ended, as long as frauds in it can be proved.
pub async fn ended_round(at: &AtBlock, id: RoundId) -> Result<Option<EndedRound<AccountId32>>> {
	Ok(find!(at, api::storage().challenges().ended_rounds(), (Static(id),)))
}

/// The committee of a round with its addresses, also of those that have retired since. Who has no bond any
/// more is left out.
pub async fn committee(
	at: &AtBlock,
	round: &Round<AccountId32>,
) -> Result<Vec<(AccountId32, String)>> {
	let members: Vec<AccountId32> = round.seats.0.iter().map(|seat| seat.verifier).collect();
	// All at once: whoever asks may be timed.
	let asked = members.into_iter().map(|who| async move {
		let found = verifier(at, &who).await;
		found.map(|record| record.map(|record| (who, text(&record.address.0))))
	});
	Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

/// The open rounds that wait for something from `who`, or will.
pub async fn open_rounds_of(at: &AtBlock, who: &AccountId32) -> Result<Vec<Assignment>> {
	view(at, api::view_functions().challenges().open_rounds_of_verifier(*who))
		.await
		.map(|rounds| rounds.into_iter().map(|assignment| assignment.0).collect())
}

/// How long the chain means a block to take, in milliseconds.
pub fn block_millis(at: &AtBlock) -> Result<u64> {
	at.constants()
		.entry(api::constants().babe().expected_block_time())
		.map_err(node)
}

/// A site's tariff.
pub async fn tariff(at: &AtBlock, id: SiteId) -> Result<Option<Tariff>> {
	let found = find!(at, api::storage().energy().tariffs(), (Static(id),));
	Ok(found.map(|tariff| tariff.0))
}

/// The exchange rate of a currency in planck per unit; `None` when it is stale.
pub async fn rate(at: &AtBlock, currency: CurrencyCode) -> Result<Option<Balance>> {
	view(at, api::view_functions().energy().rate(Static(currency))).await
}

/// A device's power figures with all of its lanes busy.
pub async fn power(at: &AtBlock, id: DeviceId) -> Result<Option<PowerRecord>> {
	Ok(find!(at, api::storage().energy().power(), (Static(id),)))
}

/// A device's power figures while it computed products.
pub async fn accelerator_power(at: &AtBlock, id: DeviceId) -> Result<Option<PowerRecord>> {
	Ok(find!(at, api::storage().energy().accelerator_power(), (Static(id),)))
}

/// Some power figures of devices with all lanes busy, at most `limit`, in no particular order, and whether
/// those are all. Some may be too old to count.
pub async fn some_powers(
	at: &AtBlock,
	limit: usize,
) -> Result<(Vec<(DeviceId, PowerRecord)>, bool)> {
	Ok(collect_some!(at, api::storage().energy().power(), limit, |record| record))
}

/// Some power figures of devices while they computed products, as [`some_powers`].
pub async fn some_accelerator_powers(
	at: &AtBlock,
	limit: usize,
) -> Result<(Vec<(DeviceId, PowerRecord)>, bool)> {
	Ok(collect_some!(at, api::storage().energy().accelerator_power(), limit, |record| record))
}

/// Lengths and shares of energy accounts.
pub async fn energy_parameters(at: &AtBlock) -> Result<EnergyParameters> {
	at.storage()
		.fetch(api::storage().energy().parameters(), ())
		.await
		.map_err(node)?
		.decode()
		.map_err(node)
}

/// A device's ledger of income and energy.
pub async fn ledger(at: &AtBlock, id: DeviceId) -> Result<Option<Ledger>> {
	Ok(find!(at, api::storage().energy().ledgers(), (Static(id),)))
}

/// The break-even sum of a placement.
pub async fn quote(
	at: &AtBlock,
	id: DeviceId,
	lanes: u16,
	duration_millis: u64,
	start: Moment,
) -> Result<core::result::Result<BreakEven, QuoteError>> {
	view(at, api::view_functions().energy().quote(Static(id), lanes, duration_millis, start))
		.await
		.map(|quote| quote.map(|quote| quote.0).map_err(|error| error.0))
}

/// A device's ask.
pub async fn ask(at: &AtBlock, id: DeviceId) -> Result<Option<AskTerms>> {
	let found = find!(at, api::storage().market().asks(), (Static(id),));
	Ok(found.map(|terms| terms.0))
}

/// All asks.
pub async fn asks(at: &AtBlock) -> Result<Vec<(DeviceId, AskTerms)>> {
	let mut rows =
		collect!(at, api::storage().market().asks(), (), |key, value| (key.0 .0, value.0));
	rows.sort_by_key(|(id, _)| *id);
	Ok(rows)
}

/// Fuel that the market takes one challenge step to be worth.
pub async fn fuel_per_step(at: &AtBlock) -> Result<u32> {
	Ok(at
		.storage()
		.fetch(api::storage().market().params(), ())
		.await
		.map_err(node)?
		.decode()
		.map_err(node)?
		.fuel_per_step)
}

/// An order that waits for a match.
pub async fn open_order(at: &AtBlock, id: OrderId) -> Result<Option<OpenOrder<AccountId32>>> {
	Ok(find!(at, api::storage().market().open_orders(), (Static(id),)))
}

/// An order whose lease is open.
pub async fn matched_order(at: &AtBlock, id: OrderId) -> Result<Option<MatchedOrder<AccountId32>>> {
	Ok(find!(at, api::storage().market().matched_orders(), (Static(id),)))
}

/// All orders that wait for a match.
pub async fn open_orders(at: &AtBlock) -> Result<Vec<(OrderId, OpenOrder<AccountId32>)>> {
	let mut rows =
		collect!(at, api::storage().market().open_orders(), (), |key, value| (key.0 .0, value));
	rows.sort_by_key(|(id, _)| *id);
	Ok(rows)
}

/// All orders whose lease is open.
pub async fn matched_orders(at: &AtBlock) -> Result<Vec<(OrderId, MatchedOrder<AccountId32>)>> {
	let mut rows =
		collect!(at, api::storage().market().matched_orders(), (), |key, value| (key.0 .0, value));
	rows.sort_by_key(|(id, _)| *id);
	Ok(rows)
}

/// How an order was matched.
#[derive(Clone, Copy, Debug)]
pub struct Match {
	/// Its lease.
	pub lease: LeaseId,
	/// The device.
	pub device: DeviceId,
	/// Agreed price for 10^9 fuel.
	pub price_per_gfuel: Balance,
	/// The break-even sum; `None` when a reserve stood in for it.
	pub quote: Option<BreakEven>,
}

/// The match of an order in a range of blocks, from their events. Old blocks' events are gone on
/// nodes that prune.
pub async fn match_of(
	chain: &Chain,
	order: OrderId,
	blocks: std::ops::RangeInclusive<u64>,
) -> Result<Option<Match>> {
	for number in blocks {
		let at = chain.client().at_block(number).await.map_err(node)?;
		let events = at.events().fetch().await.map_err(node)?;
		for event in events.find::<api::market::events::OrderMatched>() {
			let event = event.map_err(node)?;
			if event.order.0 == order {
				return Ok(Some(Match {
					lease: event.lease.0,
					device: event.device.0,
					price_per_gfuel: event.price_per_gfuel,
					quote: event.quote.map(|quote| quote.0),
				}));
			}
		}
	}
	Ok(None)
}

/// An open lease.
pub async fn lease(at: &AtBlock, id: LeaseId) -> Result<Option<Lease<AccountId32>>> {
	Ok(find!(at, api::storage().leases().leases(), (Static(id),)))
}

/// All open leases.
pub async fn leases(at: &AtBlock) -> Result<Vec<(LeaseId, Lease<AccountId32>)>> {
	let mut rows =
		collect!(at, api::storage().leases().leases(), (), |key, value| (key.0 .0, value));
	rows.sort_by_key(|(id, _)| *id);
	Ok(rows)
}

/// The open lease of a device.
pub async fn lease_of_device(at: &AtBlock, id: DeviceId) -> Result<Option<LeaseId>> {
	let found = find!(at, api::storage().leases().device_leases(), (Static(id),));
	Ok(found.map(|lease| lease.0))
}

/// The receipt of a settled lease, for as long as the chain keeps it.
pub async fn receipt(at: &AtBlock, id: LeaseId) -> Result<Option<Receipt<AccountId32>>> {
	let found = find!(at, api::storage().leases().receipts(), (Static(id),));
	Ok(found.map(|receipt| receipt.0))
}

/// Hash of the block that a view stands at.
pub fn block_hash(at: &AtBlock) -> H256 {
	at.block_hash()
}

/// Bytes that should be text, as text.
pub fn text(bytes: &[u8]) -> String {
	String::from_utf8_lossy(bytes).into_owned()
}
