//! Commands of providers.

use super::{account, currency, device, rack, region, site, DeviceStorage};
use crate::{
	amount::{parse_amount, parse_duration, parse_millionths},
	degrees::{parse_latitude, parse_longitude},
};
use armature_primitives::{
	device::MAX_ACCELERATOR_MIB, energy::CurrencyCode, Balance, DeviceId, RackId, RegionId, SiteId,
};
use armature_sdk::AccountId32;
use clap::{Args, Subcommand};
use std::{path::PathBuf, time::Duration};

#[derive(Subcommand)]
pub(crate) enum Provider {
	/// Check this machine and account: what would fail and why. Writes nothing to the chain.
	#[command(visible_alias = "doctor")]
	Init {
		/// The region to serve in.
		#[arg(long, value_parser = region, default_value = "0")]
		region: RegionId,
		/// Lanes to offer; all hardware threads if not given.
		#[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
		lanes: Option<u16>,
		/// The agent's configuration, for its power meter and folder.
		#[arg(long)]
		config: Option<PathBuf>,
	},
	/// Become a provider.
	Register {
		/// A second account that may run the devices.
		#[arg(long, value_parser = account)]
		operator: Option<AccountId32>,
	},
	/// Name or, without WHO, remove the operator.
	SetOperator {
		/// The operator.
		#[arg(value_parser = account)]
		who: Option<AccountId32>,
	},
	/// Show a provider.
	Show {
		/// Whom; the account in use if not given.
		#[arg(value_parser = account)]
		who: Option<AccountId32>,
	},
	/// Stop being a provider; all sites must be removed.
	Deregister,
}

/// Where a tariff comes from.
#[derive(Args)]
pub(crate) struct TariffArgs {
	/// ISO 4217 code of the tariff's currency.
	#[arg(long, value_parser = currency)]
	pub(crate) currency: Option<CurrencyCode>,
	/// One price of a kWh for all hours, such as 0.29.
	#[arg(long, value_parser = parse_millionths, requires = "currency", conflicts_with = "tariff_file")]
	pub(crate) tariff: Option<u32>,
	/// File with 24 prices of a kWh, for each UTC hour from midnight.
	#[arg(long, requires = "currency")]
	pub(crate) tariff_file: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Site {
	/// Register a site, with its tariff if one is given.
	Add {
		/// The region whose orchestrators serve it.
		#[arg(long, value_parser = region)]
		region: RegionId,
		/// What its circuit may carry, in watts.
		#[arg(long, value_name = "WATTS")]
		power_cap: u32,
		/// Wall power over IT power.
		#[arg(long, value_parser = parse_millionths, default_value = "1.0")]
		pue: u32,
		#[command(flatten)]
		tariff: TariffArgs,
	},
	/// List the sites of a provider.
	List {
		/// Whose; the account in use if not given.
		#[arg(value_parser = account)]
		who: Option<AccountId32>,
	},
	/// Show, set or clear the tariff of a site.
	Tariff {
		/// The site.
		#[arg(value_parser = site)]
		site: SiteId,
		#[command(flatten)]
		tariff: TariffArgs,
		/// Remove the tariff; the site's devices then take no work.
		#[arg(long, conflicts_with_all = ["currency", "tariff", "tariff_file"])]
		clear: bool,
	},
	/// Change power cap or PUE.
	Update {
		/// The site.
		#[arg(value_parser = site)]
		site: SiteId,
		/// What its circuit may carry, in watts.
		#[arg(long, value_name = "WATTS")]
		power_cap: Option<u32>,
		/// Wall power over IT power.
		#[arg(long, value_parser = parse_millionths)]
		pue: Option<u32>,
	},
	/// Remove an empty site.
	Remove {
		/// The site.
		#[arg(value_parser = site)]
		site: SiteId,
	},
}

#[derive(Subcommand)]
pub(crate) enum Rack {
	/// Register a rack.
	Add {
		/// Its site.
		#[arg(value_parser = site)]
		site: SiteId,
	},
	/// List the racks of a site.
	List {
		/// The site.
		#[arg(value_parser = site)]
		site: SiteId,
	},
	/// Remove an empty rack.
	Remove {
		/// The rack.
		#[arg(value_parser = rack)]
		rack: RackId,
	},
}

#[derive(Subcommand)]
pub(crate) enum Device {
	/// Register and bond a device.
	Add {
		/// Its site.
		#[arg(long, value_parser = site)]
		site: SiteId,
		/// Its rack.
		#[arg(long, value_parser = rack)]
		rack: Option<RackId>,
		/// Its key file, see `armature keys device`.
		#[arg(long)]
		key: PathBuf,
		/// Hardware threads that it offers.
		#[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
		lanes: u16,
		/// Memory that it offers, in MiB: no more than is free, since it is filled to be measured.
		#[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
		memory: u32,
		/// Its name in lists, at most 64 bytes.
		#[arg(long, default_value = "")]
		label: String,
	},
	/// List the devices of a provider.
	List {
		/// Whose; all if not given.
		#[arg(value_parser = account)]
		who: Option<AccountId32>,
	},
	/// Show all that the chain knows of a device.
	Show {
		/// The device.
		#[arg(value_parser = device)]
		id: DeviceId,
	},
	/// Take no new work.
	Drain {
		/// The device.
		#[arg(value_parser = device)]
		id: DeviceId,
	},
	/// Take work again after draining.
	Resume {
		/// The device.
		#[arg(value_parser = device)]
		id: DeviceId,
	},
	/// Take a device out of work and challenges for a while: a reboot, a repair.
	#[command(subcommand)]
	Maintenance(Maintenance),
	/// Say where a device is: round trips to verifiers say whether that can be.
	#[command(subcommand)]
	Position(DevicePosition),
	/// Offer what a device multiplies matrices with, a GPU mostly, to be measured.
	#[command(subcommand)]
	Accelerator(DeviceAccelerator),
	/// Offer what a device has sealed on its disks to be measured.
	#[command(subcommand)]
	Storage(DeviceStorage),
	/// Leave the jail after a slash; tops the bond up.
	ClearJail {
		/// The device.
		#[arg(value_parser = device)]
		id: DeviceId,
	},
	/// Leave for good; the bond unbonds.
	Retire {
		/// The device.
		#[arg(value_parser = device)]
		id: DeviceId,
	},
	/// Take back the bond of a retired device.
	Withdraw {
		/// The device.
		#[arg(value_parser = device)]
		id: DeviceId,
	},
}

/// A place on the Earth.
#[derive(Args, Clone, Copy)]
pub(crate) struct Place {
	/// Degrees north, as 50.11; negative for south.
	#[arg(long, value_parser = parse_latitude, allow_negative_numbers = true)]
	pub(crate) latitude: i32,
	/// Degrees east, as 8.68; negative for west.
	#[arg(long, value_parser = parse_longitude, allow_negative_numbers = true)]
	pub(crate) longitude: i32,
}

#[derive(Subcommand)]
pub(crate) enum DevicePosition {
	/// Claim that the device is there. Signed by the provider or the operator.
	Set {
		/// The device.
		#[arg(value_parser = device)]
		id: DeviceId,
		/// Where.
		#[command(flatten)]
		place: Place,
	},
	/// Take the claim back.
	Clear {
		/// The device.
		#[arg(value_parser = device)]
		id: DeviceId,
	},
}

#[derive(Subcommand)]
pub(crate) enum DeviceAccelerator {
	/// Offer an accelerator, or another amount of it.
	///
	/// What an earlier offer has shown is gone, and rounds about the new one follow. A new offer can be
	/// made once a day, unless the network has it otherwise, and not while a round of products is
	/// open. While the device runs a lease the accelerator is left to that. Signed by the provider or
	/// the operator.
	Offer {
		/// The device.
		#[arg(value_parser = device)]
		id: DeviceId,
		/// Memory that it offers, in MiB: nine tenths of it are filled, and a GPU takes 2, processors 5 bytes
		/// beside for each of the ROWS * ROWS entries of a state.
		#[arg(
			long,
			value_name = "MIB",
			value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_ACCELERATOR_MIB))
		)]
		memory: u32,
		/// Rows and columns of the matrices that it multiplies.
		///
		/// A round takes two times ROWS operations for each byte of memory that it fills, nine tenths of
		/// what is offered, and has to be done within three minutes, unless the network has it
		/// otherwise. Long rows keep a fast accelerator busy; with too long ones it is not done in time.
		/// `armature challenge run --local --kind gemm --side ROWS` tells the speed, of a GPU with
		/// --accelerator. A round takes MIB * 1048576 * 0.9 * 2 * ROWS / speed seconds: have that well
		/// below the window, a minute or less.
		#[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..))]
		side: u32,
	},
	/// Take the offer back; what was shown is gone.
	///
	/// Not while a round of products is open. Signed by the provider or the operator.
	Withdraw {
		/// The device.
		#[arg(value_parser = device)]
		id: DeviceId,
	},
}

#[derive(Subcommand)]
pub(crate) enum Maintenance {
	/// Begin: the device is not challenged and not matched, and its score is gone.
	///
	/// It cannot begin with an open round or lease: wait for their end. Signed by the provider or
	/// the operator.
	Start {
		/// The device.
		#[arg(value_parser = device)]
		id: DeviceId,
	},
	/// End: a round follows as soon as one may begin, and work once the device has a score again.
	///
	/// Start its agent first. Signed by the provider or the operator.
	End {
		/// The device.
		#[arg(value_parser = device)]
		id: DeviceId,
	},
}

#[derive(Subcommand)]
pub(crate) enum Ask {
	/// Offer a device.
	Set {
		/// The device.
		#[arg(value_parser = device)]
		device: DeviceId,
		/// Least price for 10^9 fuel, as 0.01 (ARMA) or 1500plk.
		#[arg(long, value_parser = parse_amount)]
		price: Balance,
		/// What stands in for break-even while there is no fresh exchange rate.
		#[arg(long, value_parser = parse_amount)]
		reserve: Option<Balance>,
	},
	/// Take the offer back.
	Withdraw {
		/// The device.
		#[arg(value_parser = device)]
		device: DeviceId,
	},
	/// List all offers.
	List,
}

#[derive(Subcommand)]
pub(crate) enum Energy {
	/// What a stretch of work on a device must earn.
	Quote {
		/// The device.
		#[arg(value_parser = device)]
		device: DeviceId,
		/// How long it runs, such as 1h.
		#[arg(long, value_parser = parse_duration)]
		duration: Duration,
		/// Lanes that it keeps busy.
		#[arg(long, default_value_t = 1)]
		lanes: u16,
	},
	/// The least price for 10^9 fuel, at the device's measured speed.
	BreakEven {
		/// The device.
		#[arg(value_parser = device)]
		device: DeviceId,
		/// Fuel of one job, over which the fixed fees are spread.
		#[arg(long, default_value_t = 2_000_000_000, value_parser = clap::value_parser!(u64).range(1..))]
		fuel: u64,
	},
	/// What a device has earned and what its electricity has cost.
	Profit {
		/// The device.
		#[arg(value_parser = device)]
		device: DeviceId,
	},
	/// The exchange rate of a currency.
	Rate {
		/// Its ISO 4217 code.
		#[arg(value_parser = currency)]
		currency: CurrencyCode,
	},
	/// Report an exchange rate; for registered feeders.
	Feed {
		/// ISO 4217 code of the currency.
		#[arg(long, value_parser = currency)]
		currency: CurrencyCode,
		/// ARMA for one unit of it.
		#[arg(long, value_parser = parse_amount, value_name = "ARMA_PER_UNIT")]
		rate: Balance,
	},
}
