//! Errors of the SDK, one kind for each thing a caller can do about them.

/// What can go wrong between a client and a chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// No node of the list answered.
	#[error("connecting to {urls}: {reason}; is a node running there? start one with `armature-node --dev` or name another with --url")]
	Connect {
		/// The list.
		urls: String,
		/// What the last one answered.
		reason: String,
	},
	/// The node runs another runtime than the one this program was built for.
	#[error("the chain's runtime does not match this program ({0}); upgrade whichever is older")]
	Metadata(String),
	/// The chain executed the call and refused it.
	#[error("{call} was refused: {pallet}.{error}: {explanation}")]
	Refused {
		/// The call, as `Pallet.call`.
		call: String,
		/// The pallet that refused.
		pallet: String,
		/// Name of the error.
		error: String,
		/// What the pallet's documentation says of it.
		explanation: String,
	},
	/// The chain executed the call and refused it outside any pallet (bad origin, token errors).
	#[error("{call} was refused: {reason}")]
	RefusedByRuntime {
		/// The call, as `Pallet.call`.
		call: String,
		/// The runtime's reason.
		reason: String,
	},
	/// The pool did not take the transaction, or it never reached a block.
	#[error("{call} was not included: {reason}")]
	NotIncluded {
		/// The call, as `Pallet.call`.
		call: String,
		/// The pool's reason.
		reason: String,
	},
	/// An event that the call promises was not emitted.
	#[error("{call} succeeded without its event {event}")]
	MissingEvent {
		/// The call, as `Pallet.call`.
		call: &'static str,
		/// The event.
		event: &'static str,
	},
	/// A key or address could not be read.
	#[error("reading {what}: {reason}")]
	Key {
		/// What was read.
		what: String,
		/// Why it failed.
		reason: String,
	},
	/// A value is longer than the chain takes.
	#[error("{what} is longer than {limit} bytes")]
	TooLong {
		/// The value.
		what: &'static str,
		/// The chain's limit.
		limit: u32,
	},
	/// The node did not answer, or with something unusable.
	#[error("asking the node: {0}")]
	Node(Box<subxt::Error>),
	/// A wait ended before what was waited for.
	#[error("waited {seconds} s for {what}")]
	Timeout {
		/// What was waited for.
		what: String,
		/// How long.
		seconds: u64,
	},
}

/// What [`Error::Refused`] writes between the call and what refused it.
const REFUSED: &str = " was refused: ";

/// The name of the error in a text that [`Error::Refused`] wrote, where this pallet refused; `None` for any
/// other text. What an explanation says is not looked at.
pub fn refused_error<'t>(text: &'t str, pallet: &str) -> Option<&'t str> {
	let (call, refusal) = text.split_once(REFUSED)?;
	let (name, _explanation) = refusal.strip_prefix(pallet)?.strip_prefix('.')?.split_once(": ")?;
	let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
	(is_name && !call.contains(char::is_whitespace)).then_some(name)
}

/// The SDK's result.
pub type Result<T> = core::result::Result<T, Error>;

/// Wraps whatever subxt returned.
pub(crate) fn node(error: impl Into<subxt::Error>) -> Error {
	Error::Node(Box::new(error.into()))
}

#[cfg(test)]
mod tests {
	use super::*;

	fn refused(pallet: &str, error: &str, explanation: &str) -> String {
		Error::Refused {
			call: "Challenges.show_planted".into(),
			pallet: pallet.into(),
			error: error.into(),
			explanation: explanation.into(),
		}
		.to_string()
	}

	#[test]
	fn name_of_a_refusal_should_be_found_in_its_text() {
		for explanation in ["", "Why.", "a: b", "X was refused: Challenges.Other: Why."] {
			let text = refused("Challenges", "RoundOpen", explanation);
			assert_eq!(refused_error(&text, "Challenges"), Some("RoundOpen"), "{text}");
		}
	}

	#[test]
	fn pallet_should_be_that_which_refused() {
		let text = refused("Challenges", "RoundOpen", "Why.");
		for other in ["Devices", "Challenge", "Challenges.", "challenges", ""] {
			assert_eq!(refused_error(&text, other), None, "{other:?}");
		}
		let text = refused("Devices", "Jailed", "X was refused: Challenges.RoundOpen: Why.");
		assert_eq!(refused_error(&text, "Challenges"), None);
	}

	#[test]
	fn other_texts_should_have_no_name() {
		let call = "Challenges.show_planted";
		let by_runtime = Error::RefusedByRuntime {
			call: call.into(),
			reason: "Token error: FundsUnavailable".into(),
		};
		let not_included =
			Error::NotIncluded { call: call.into(), reason: "Challenges.RoundOpen: Why.".into() };
		for text in [
			by_runtime.to_string(),
			not_included.to_string(),
			"Challenges.RoundOpen: Why.".into(),
			"Challenges.show_planted was refused: Challenges.RoundOpen".into(),
			"Challenges.show_planted was refused: Challenges.: Why.".into(),
			"Challenges.show_planted was refused: Challenges.Round Open: Why.".into(),
			"Challenges.show_planted was refused: Challenges.RoundOpen.More: Why.".into(),
			"Challenges.show_planted was refused: because of Challenges.RoundOpen: Why.".into(),
			"they say that X was refused: Challenges.RoundOpen: Why.".into(),
			String::new(),
		] {
			assert_eq!(refused_error(&text, "Challenges"), None, "{text}");
		}
	}
}
