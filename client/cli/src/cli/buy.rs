//! Commands of applications.

use super::{account, device, lease, order};
use crate::amount::{parse_amount, parse_duration};
use armature_primitives::{Balance, DeviceId, LeaseId, OrderId};
use armature_sdk::AccountId32;
use clap::{Args, Subcommand};
use std::{path::PathBuf, time::Duration};

/// How an order is submitted.
#[derive(Args)]
pub(crate) struct Submit {
	/// The job file.
	pub(crate) job: PathBuf,
	/// Follow the order until its result is here and paid.
	#[arg(long)]
	pub(crate) watch: bool,
	/// Where to write the result.
	#[arg(long, requires = "watch")]
	pub(crate) result: Option<PathBuf>,
	/// Leave the result unaccepted: it is paid after the dispute window.
	#[arg(long, requires = "watch")]
	pub(crate) no_accept: bool,
	/// Cancel the order when it is not matched within this time.
	#[arg(long, requires = "watch", value_parser = parse_duration, value_name = "DURATION")]
	pub(crate) give_up_after: Option<Duration>,
}

#[derive(Subcommand)]
pub(crate) enum Order {
	/// Upload module and input and order the computation.
	Submit(Submit),
	/// Show an open or matched order.
	Show {
		/// The order.
		#[arg(value_parser = order)]
		id: OrderId,
	},
	/// List open and matched orders.
	List {
		/// Whose; all if not given.
		#[arg(value_parser = account)]
		who: Option<AccountId32>,
	},
	/// Take an open order back.
	Cancel {
		/// The order.
		#[arg(value_parser = order)]
		id: OrderId,
	},
	/// Raise the limit price of an open order.
	TopUp {
		/// The order.
		#[arg(value_parser = order)]
		id: OrderId,
		/// Most that is paid for 10^9 fuel, as 0.01 (ARMA) or 1500plk.
		#[arg(long, value_parser = parse_amount)]
		price: Balance,
	},
	/// Remove an order that is past its deadline; its tenant is refunded.
	Expire {
		/// The order.
		#[arg(value_parser = order)]
		id: OrderId,
	},
}

#[derive(Subcommand)]
pub(crate) enum Lease {
	/// List open leases.
	List {
		/// Only of this device.
		#[arg(long, value_parser = device)]
		device: Option<DeviceId>,
		/// Only of this tenant.
		#[arg(long, value_parser = account)]
		tenant: Option<AccountId32>,
	},
	/// Show an open lease.
	Show {
		/// The lease.
		#[arg(value_parser = lease)]
		id: LeaseId,
	},
	/// Accept the reported result and pay.
	Accept {
		/// The lease.
		#[arg(value_parser = lease)]
		id: LeaseId,
	},
	/// Have a verifier run the module again; takes a deposit.
	Dispute {
		/// The lease.
		#[arg(value_parser = lease)]
		id: LeaseId,
	},
	/// Leave a lease that has not started.
	Cancel {
		/// The lease.
		#[arg(value_parser = lease)]
		id: LeaseId,
	},
	/// Settle a lease whose time is up.
	Settle {
		/// The lease.
		#[arg(value_parser = lease)]
		id: LeaseId,
	},
	/// Show the receipt of a settled lease.
	Receipt {
		/// The lease.
		#[arg(value_parser = lease)]
		id: LeaseId,
	},
}
