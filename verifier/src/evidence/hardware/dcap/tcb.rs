//! TCB levels: Intel's verdict on the versions of a platform, its TDX module and its quoting enclave
//! (Intel PCS API version 4, "Get TDX TCB Info", "Get TD Quoting Enclave Identity").

use super::{
	super::{
		check::Fault,
		claims::Window,
		policy::{from_hex, TcbStatus},
	},
	collateral::{hex_array, instant},
	pck::Pck,
	quote::{EnclaveReport, TdReport},
};
use alloc::{string::String, vec::Vec};
use core::cmp::Ordering;
use serde::{
	de::{value::Error as ValueError, IntoDeserializer},
	Deserialize,
};

/// The most TCB levels of one list that are read. Real ones have 1 to 20.
pub const MAX_LEVELS: usize = 64;

/// The most TDX module identities that are read. Real ones have 2.
pub const MAX_MODULES: usize = 16;

/// The most advisories of one level that are read. Real ones have up to 20.
pub const MAX_ADVISORIES: usize = 64;

/// The longest name of an advisory or a status. Real ones have 14 and up to 33 characters.
const MAX_NAME_LEN: usize = 64;

/// What a level asks for, and what Intel says of those who reach it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Level<T> {
	/// The least versions.
	pub tcb: T,
	/// Until when Intel's fixes are in it, in milliseconds since 1970.
	#[serde(deserialize_with = "instant")]
	pub tcb_date: u64,
	/// A [`TcbStatus`], or one that is not known.
	pub tcb_status: String,
	/// Names of the advisories that concern it.
	#[serde(rename = "advisoryIDs", default)]
	pub advisories: Vec<String>,
}

impl<T> Level<T> {
	/// The verdict of the level.
	pub fn verdict(&self) -> Verdict<'_> {
		Verdict { status_name: &self.tcb_status, date: self.tcb_date, advisories: &self.advisories }
	}
}

/// What a level says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict<'a> {
	/// The status by its name in the document.
	pub status_name: &'a str,
	/// Until when Intel's fixes are in it, in milliseconds since 1970.
	pub date: u64,
	/// Names of the advisories that concern it.
	pub advisories: &'a [String],
}

impl Verdict<'_> {
	/// The status, if it is a known one.
	pub fn status(&self) -> Option<TcbStatus> {
		let name: serde::de::value::StrDeserializer<'_, ValueError> =
			self.status_name.into_deserializer();
		TcbStatus::deserialize(name).ok()
	}
}

/// The security version of one component.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct Component {
	/// The least version.
	pub svn: u8,
}

/// What a level of a platform asks for.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct PlatformTcb {
	/// Of the processor and its firmware.
	#[serde(rename = "sgxtcbcomponents")]
	pub sgx: [Component; 16],
	/// Of the provisioning enclave.
	pub pcesvn: u16,
	/// Of TDX.
	#[serde(rename = "tdxtcbcomponents", default)]
	pub tdx: Option<[Component; 16]>,
}

/// What a level of a TDX module or quoting enclave asks for.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct IsvTcb {
	/// The least security version.
	pub isvsvn: u16,
}

/// Intel's TDX module of one major version.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TdxModule {
	/// `TDX_` and the major version as two hex digits; empty for version 0.
	#[serde(default)]
	pub id: String,
	/// Digest of the key that signs it.
	#[serde(deserialize_with = "hex_array")]
	pub mrsigner: [u8; 48],
	/// Its attributes where [`TdxModule::attributes_mask`] has a one.
	#[serde(deserialize_with = "hex_array")]
	pub attributes: [u8; 8],
	/// Which attributes are compared.
	#[serde(deserialize_with = "hex_array")]
	pub attributes_mask: [u8; 8],
	/// Its levels, the best first; none for version 0, whose levels are the platform's.
	#[serde(default)]
	pub tcb_levels: Vec<Level<IsvTcb>>,
}

impl TdxModule {
	/// Whether this is the module of a report.
	pub fn is_of(&self, report: &TdReport) -> bool {
		self.mrsigner == report.mrsignerseam
			&& masked(&report.seam_attributes, &self.attributes_mask, &self.attributes)
	}
}

/// The TCB levels of a kind of platform.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TcbInfo {
	/// "SGX" or "TDX".
	pub id: String,
	/// When it was issued, in milliseconds since 1970.
	#[serde(deserialize_with = "instant")]
	pub issue_date: u64,
	/// Until when it may be used, in milliseconds since 1970.
	#[serde(deserialize_with = "instant")]
	pub next_update: u64,
	/// Family, model, stepping, platform and SKU.
	#[serde(deserialize_with = "hex_array")]
	pub fmspc: [u8; 6],
	/// Kind of provisioning enclave.
	#[serde(deserialize_with = "hex_array")]
	pub pce_id: [u8; 2],
	/// How levels are compared; only 0 is known.
	pub tcb_type: u32,
	/// Rises with every recovery of Intel's.
	pub tcb_evaluation_data_number: u32,
	/// The TDX module of major version 0.
	#[serde(default)]
	pub tdx_module: Option<TdxModule>,
	/// The TDX modules of other major versions.
	#[serde(default)]
	pub tdx_module_identities: Vec<TdxModule>,
	/// The levels, the best first.
	pub tcb_levels: Vec<Level<PlatformTcb>>,
}

impl TcbInfo {
	/// The same, if it stays within the bounds.
	///
	/// # Errors
	///
	/// [`Fault::TooLarge`], [`Fault::Malformed`]; [`Fault::UnknownVersion`] for another way to
	/// compare levels.
	pub fn bounded(self) -> Result<Self, Fault> {
		if self.tcb_type != 0 {
			return Err(Fault::UnknownVersion(self.tcb_type));
		}
		if self.tdx_module_identities.len() > MAX_MODULES {
			return Err(Fault::TooLarge);
		}
		bounded(&self.tcb_levels)?;
		self.tdx_module_identities
			.iter()
			.try_for_each(|module| bounded(&module.tcb_levels))?;
		Ok(self)
	}

	/// When it may be used.
	pub fn window(&self) -> Window {
		Window { from: self.issue_date, until: self.next_update }
	}

	/// Whether it speaks of this platform.
	pub fn is_of(&self, pck: &Pck, tdx: bool) -> bool {
		let id = if tdx { "TDX" } else { "SGX" };
		self.id == id && self.fmspc == pck.fmspc && self.pce_id == pck.pce_id
	}

	/// The level of a platform: the first of which every component is reached. For TDX, a module
	/// with a major version has levels of its own, and the first two components are not looked at.
	pub fn level(&self, pck: &Pck, tdx: Option<&TdReport>) -> Option<&Level<PlatformTcb>> {
		self.tcb_levels.iter().find(|level| {
			let sgx =
				reaches(&pck.components, &level.tcb.sgx, 0) && pck.pce_svn >= level.tcb.pcesvn;
			let tdx = tdx.is_none_or(|report| {
				let from = if module_version(report) > 0 { 2 } else { 0 };
				level
					.tcb
					.tdx
					.as_ref()
					.is_some_and(|least| reaches(&report.tee_tcb_svn, least, from))
			});
			sgx && tdx
		})
	}

	/// Intel's TDX module of the major version that a report names.
	pub fn module(&self, report: &TdReport) -> Option<&TdxModule> {
		match module_version(report) {
			0 => self.tdx_module.as_ref(),
			version => self.tdx_module_identities.iter().find(|module| {
				module.id.split_at_checked(4).is_some_and(|(prefix, number)| {
					prefix.eq_ignore_ascii_case("TDX_")
						&& from_hex(number).is_some_and(|n| n == [version])
				})
			}),
		}
	}
}

/// The major version of the TDX module.
pub fn module_version(report: &TdReport) -> u8 {
	let [_, version, ..] = report.tee_tcb_svn;
	version
}

/// The security version of the TDX module.
pub fn module_svn(report: &TdReport) -> u8 {
	let [svn, ..] = report.tee_tcb_svn;
	svn
}

/// Intel's quoting enclave.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QeIdentity {
	/// "QE" for SGX, "TD_QE" for TDX.
	pub id: String,
	/// When it was issued, in milliseconds since 1970.
	#[serde(deserialize_with = "instant")]
	pub issue_date: u64,
	/// Until when it may be used, in milliseconds since 1970.
	#[serde(deserialize_with = "instant")]
	pub next_update: u64,
	/// Rises with every recovery of Intel's.
	pub tcb_evaluation_data_number: u32,
	/// Its extended features where the mask has a one.
	#[serde(deserialize_with = "hex_array")]
	pub miscselect: [u8; 4],
	/// Which extended features are compared.
	#[serde(deserialize_with = "hex_array")]
	pub miscselect_mask: [u8; 4],
	/// Its attributes where the mask has a one.
	#[serde(deserialize_with = "hex_array")]
	pub attributes: [u8; 16],
	/// Which attributes are compared.
	#[serde(deserialize_with = "hex_array")]
	pub attributes_mask: [u8; 16],
	/// Digest of the key that signs it.
	#[serde(deserialize_with = "hex_array")]
	pub mrsigner: [u8; 32],
	/// Product number.
	pub isvprodid: u16,
	/// Its levels, the best first.
	pub tcb_levels: Vec<Level<IsvTcb>>,
}

impl QeIdentity {
	/// The same, if it stays within the bounds.
	///
	/// # Errors
	///
	/// [`Fault::TooLarge`], [`Fault::Malformed`].
	pub fn bounded(self) -> Result<Self, Fault> {
		bounded(&self.tcb_levels)?;
		Ok(self)
	}

	/// When it may be used.
	pub fn window(&self) -> Window {
		Window { from: self.issue_date, until: self.next_update }
	}

	/// Whether this is the enclave of a report.
	pub fn is_of(&self, report: &EnclaveReport, tdx: bool) -> bool {
		let id = if tdx { "TD_QE" } else { "QE" };
		self.id == id
			&& self.mrsigner == report.mrsigner
			&& self.isvprodid == report.isv_prod_id
			&& masked(&report.misc_select, &self.miscselect_mask, &self.miscselect)
			&& masked(&report.attributes, &self.attributes_mask, &self.attributes)
	}
}

/// The first level that a security version reaches.
pub fn isv_level(levels: &[Level<IsvTcb>], svn: u16) -> Option<&Level<IsvTcb>> {
	levels.iter().find(|level| svn >= level.tcb.isvsvn)
}

/// What holds when both parts are in use: the worse one, or what both leave open together.
pub fn worse(one: TcbStatus, other: TcbStatus) -> TcbStatus {
	use TcbStatus::*;
	let (low, high) = match one.cmp(&other) {
		Ordering::Greater => (other, one),
		Ordering::Less | Ordering::Equal => (one, other),
	};
	match (low, high) {
		(ConfigurationNeeded | ConfigurationAndSWHardeningNeeded, OutOfDate) => {
			OutOfDateConfigurationNeeded
		},
		(SWHardeningNeeded, ConfigurationNeeded) => ConfigurationAndSWHardeningNeeded,
		(_, high) => high,
	}
}

/// Whether every version from the `from`th on is at least the level's.
fn reaches(versions: &[u8; 16], least: &[Component; 16], from: usize) -> bool {
	versions
		.iter()
		.zip(least)
		.skip(from)
		.all(|(version, least)| *version >= least.svn)
}

/// Whether `value` is `expected` where `mask` has ones, and `expected` is zero elsewhere.
fn masked(value: &[u8], mask: &[u8], expected: &[u8]) -> bool {
	value.len() == expected.len()
		&& mask.len() == expected.len()
		&& value
			.iter()
			.zip(mask)
			.zip(expected)
			.all(|((value, mask), expected)| value & mask == *expected)
}

fn bounded<T>(levels: &[Level<T>]) -> Result<(), Fault> {
	if levels.len() > MAX_LEVELS
		|| levels.iter().any(|level| level.advisories.len() > MAX_ADVISORIES)
	{
		return Err(Fault::TooLarge);
	}
	let plain = |name: &str| {
		name.len() <= MAX_NAME_LEN
			&& name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
	};
	let names = || {
		levels
			.iter()
			.flat_map(|level| level.advisories.iter().chain(core::iter::once(&level.tcb_status)))
	};
	// They are shown to people, who must not be fooled by control characters.
	if names().all(|name| plain(name)) {
		Ok(())
	} else {
		Err(Fault::Malformed)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use TcbStatus::*;

	const ALL: [TcbStatus; 7] = [
		UpToDate,
		SWHardeningNeeded,
		ConfigurationNeeded,
		ConfigurationAndSWHardeningNeeded,
		OutOfDate,
		OutOfDateConfigurationNeeded,
		Revoked,
	];

	#[test]
	fn statuses_should_be_known_by_their_names() {
		for status in ALL {
			let name = alloc::format!("{status:?}");
			let verdict = Verdict { status_name: &name, date: 0, advisories: &[] };
			assert_eq!(verdict.status(), Some(status));
		}
		let verdict = Verdict { status_name: "Fine", date: 0, advisories: &[] };
		assert_eq!(verdict.status(), None);
	}

	#[test]
	fn worse_should_be_what_both_leave_open() {
		assert_eq!(worse(UpToDate, OutOfDate), OutOfDate);
		assert_eq!(worse(ConfigurationNeeded, OutOfDate), OutOfDateConfigurationNeeded);
		assert_eq!(
			worse(OutOfDate, ConfigurationAndSWHardeningNeeded),
			OutOfDateConfigurationNeeded
		);
		assert_eq!(worse(SWHardeningNeeded, OutOfDate), OutOfDate);
		assert_eq!(
			worse(SWHardeningNeeded, ConfigurationNeeded),
			ConfigurationAndSWHardeningNeeded
		);
		for one in ALL {
			assert_eq!(worse(one, one), one);
			assert_eq!(worse(one, Revoked), Revoked);
			assert_eq!(worse(one, UpToDate), one);
			for other in ALL {
				assert_eq!(worse(one, other), worse(other, one));
				assert!(worse(one, other) >= one.max(other));
			}
		}
	}
}
