//! What the calls do, and the traits that other pallets use.

use crate::{
	AcceleratorPower, Config, EnergyParameters, Error, Event, Feeder, Feeders, Ledger, Ledgers,
	Pallet, Parameters, Power, PowerRecord, SubmittedRate, Tariffs, Window, LOG_TARGET,
	MAX_RATE_JUMP,
};
use armature_economics::{
	break_even::{break_even, energy_cost, Terms},
	power, rates, tariff,
};
use armature_primitives::{
	device::{DeviceInfo, DeviceStatus, SiteInfo},
	energy::{BreakEven, CurrencyCode, Placement, QuoteError, Tariff},
	telemetry::{PowerLoad, PowerReading},
	traits::{DeviceInspect, DeviceLifecycle, EnergyInspect, EnergyLedger, PowerSink},
	Balance, DeviceId, MilliWattHours, MilliWatts, Moment, Ppm, SiteId,
};
use frame_support::{
	dispatch::DispatchResult,
	ensure,
	traits::{Get, Time},
};

/// What a review found to be done.
enum Judgement {
	/// The window goes on.
	Wait,
	/// A new window starts, the device stays as it is.
	Roll,
	/// A new window starts and the device changes its state.
	Change {
		/// Whether it may take work again.
		profitable: bool,
	},
}

// Tariffs, feeders and parameters.
impl<T: Config> Pallet<T> {
	pub(crate) fn do_set_tariff(
		who: &T::AccountId,
		site: SiteId,
		tariff: Tariff,
	) -> DispatchResult {
		let info = T::Devices::site(site).ok_or(Error::<T>::UnknownSite)?;
		ensure!(info.provider == *who, Error::<T>::NotSiteOwner);
		let dearest = T::MaxMicroPerKwh::get();
		ensure!(tariff.micro_per_kwh.iter().all(|p| *p <= dearest), Error::<T>::PriceTooHigh);
		ensure!(Feeders::<T>::contains_key(tariff.currency), Error::<T>::UnknownCurrency);

		Tariffs::<T>::insert(site, tariff);
		Self::deposit_event(Event::TariffSet { site });
		Ok(())
	}

	pub(crate) fn do_clear_tariff(who: &T::AccountId, site: SiteId) -> DispatchResult {
		ensure!(Tariffs::<T>::contains_key(site), Error::<T>::NoTariff);
		// The tariff of a site that is gone serves no one, so anyone may remove it.
		if let Some(info) = T::Devices::site(site) {
			ensure!(info.provider == *who, Error::<T>::NotSiteOwner);
		}

		Tariffs::<T>::remove(site);
		Self::deposit_event(Event::TariffCleared { site });
		Ok(())
	}

	pub(crate) fn do_add_feeder(currency: CurrencyCode, who: T::AccountId) -> DispatchResult {
		ensure!(currency.0.iter().all(u8::is_ascii_uppercase), Error::<T>::InvalidCurrency);
		let mut feeders = Feeders::<T>::get(currency);
		ensure!(feeders.iter().all(|f| f.who != who), Error::<T>::AlreadyFeeder);
		feeders
			.try_push(Feeder { who: who.clone(), last: None })
			.map_err(|_| Error::<T>::TooManyFeeders)?;

		Feeders::<T>::insert(currency, feeders);
		Self::deposit_event(Event::FeederAdded { currency, who });
		Ok(())
	}

	pub(crate) fn do_remove_feeder(currency: CurrencyCode, who: T::AccountId) -> DispatchResult {
		let mut feeders = Feeders::<T>::get(currency);
		ensure!(feeders.iter().any(|f| f.who == who), Error::<T>::NotFeeder);
		feeders.retain(|f| f.who != who);

		if feeders.is_empty() {
			Feeders::<T>::remove(currency);
		} else {
			Feeders::<T>::insert(currency, feeders);
		}
		Self::deposit_event(Event::FeederRemoved { currency, who });
		Ok(())
	}

	pub(crate) fn do_submit_rate(
		who: T::AccountId,
		currency: CurrencyCode,
		rate: Balance,
	) -> DispatchResult {
		let now = T::Clock::now();
		let mut feeders = Feeders::<T>::get(currency);
		let median = Self::median(&feeders, now, &Parameters::<T>::get());
		let feeder = feeders.iter_mut().find(|f| f.who == who).ok_or(Error::<T>::NotFeeder)?;
		ensure!(rate > 0, Error::<T>::ZeroRate);
		// Without a median there is nothing to measure against: a feed that was down must be able
		// to come back wherever the market has gone, and needs a quorum to do so.
		if let Some(median) = median {
			let near = rate <= median.saturating_mul(MAX_RATE_JUMP)
				&& rate.saturating_mul(MAX_RATE_JUMP) >= median;
			ensure!(near, Error::<T>::RateJump);
		}

		feeder.last = Some(SubmittedRate { rate, at: now });
		Feeders::<T>::insert(currency, feeders);
		Self::deposit_event(Event::RateSubmitted { currency, who, rate });
		Ok(())
	}

	pub(crate) fn do_set_parameters(parameters: EnergyParameters) -> DispatchResult {
		ensure!(Self::are_valid(&parameters), Error::<T>::InvalidParameters);
		Parameters::<T>::put(&parameters);
		Self::deposit_event(Event::ParametersSet { parameters });
		Ok(())
	}

	/// Whether the parameters hold together and their quorum can be reached.
	pub(crate) fn are_valid(parameters: &EnergyParameters) -> bool {
		parameters.validate() && u32::from(parameters.min_feeders) <= T::MaxFeeders::get()
	}
}

// Reading.
impl<T: Config> Pallet<T> {
	fn median(
		feeders: &[Feeder<T::AccountId>],
		now: Moment,
		parameters: &EnergyParameters,
	) -> Option<Balance> {
		rates::fresh_median(
			feeders.iter().filter_map(|f| f.last).map(Into::into),
			now,
			parameters.max_rate_age_millis,
			parameters.min_feeders.into(),
		)
	}

	/// Planck per whole unit of `currency` at `now`, if enough feeders are fresh.
	pub(crate) fn fresh_rate(currency: CurrencyCode, now: Moment) -> Option<Balance> {
		Self::median(&Feeders::<T>::get(currency), now, &Parameters::<T>::get())
	}

	fn place(
		device: DeviceId,
	) -> Result<(DeviceInfo<T::AccountId>, SiteInfo<T::AccountId>), QuoteError> {
		let info = T::Devices::device(device).ok_or(QuoteError::UnknownDevice)?;
		let site = T::Devices::site(info.site).ok_or(QuoteError::UnknownDevice)?;
		Ok((info, site))
	}

	fn fresh_power(
		device: DeviceId,
		load: PowerLoad,
		now: Moment,
		parameters: &EnergyParameters,
	) -> Result<PowerReading, QuoteError> {
		let record = match load {
			PowerLoad::Lanes => Power::<T>::get(device),
			PowerLoad::Accelerator => AcceleratorPower::<T>::get(device),
		};
		record
			.filter(|power| {
				now.checked_sub(power.measured_at)
					.is_some_and(|age| age <= parameters.power_max_age_millis)
			})
			.map(|power| power.reading)
			.ok_or(QuoteError::NoPower)
	}

	/// The cost of `energy` that was used at `at`, at the tariff of that hour and the present rate.
	/// `None` when one of them is not known.
	fn price_energy(site: SiteId, energy: MilliWattHours, at: Moment) -> Option<Balance> {
		let tariff = Tariffs::<T>::get(site)?;
		let rate = Self::fresh_rate(tariff.currency, T::Clock::now())?;
		energy_cost(energy, tariff::price_at(&tariff, at), rate).ok()
	}
}

// The ledger.
impl<T: Config> Pallet<T> {
	/// Books with `book` on the ledger of a device that exists, then judges its window.
	fn with_ledger(device: DeviceId, book: impl FnOnce(&DeviceInfo<T::AccountId>, &mut Ledger)) {
		let Some(info) = T::Devices::device(device) else {
			log::warn!(target: LOG_TARGET, "booking for unknown device {device} ignored");
			return;
		};
		let now = T::Clock::now();
		let mut ledger = Ledgers::<T>::get(device).unwrap_or_else(|| Ledger::starting(now));
		book(&info, &mut ledger);
		Self::judge_and_store(device, info.status, ledger, now);
	}

	pub(crate) fn do_review(device: DeviceId) -> DispatchResult {
		let ledger = Ledgers::<T>::get(device).ok_or(Error::<T>::NoLedger)?;
		let info = T::Devices::device(device).ok_or(Error::<T>::NoLedger)?;
		let now = T::Clock::now();
		let judgement = Self::judge(info.status, &ledger, now, &Parameters::<T>::get());
		ensure!(matches!(judgement, Judgement::Change { .. }), Error::<T>::NothingToReview);
		Self::judge_and_store(device, info.status, ledger, now);
		Ok(())
	}

	/// Ends the window of `ledger` if it is over, stores the ledger, and tells `Devices` and the
	/// world what follows.
	fn judge_and_store(device: DeviceId, status: DeviceStatus, mut ledger: Ledger, now: Moment) {
		let judgement = Self::judge(status, &ledger, now, &Parameters::<T>::get());
		let ratio = ratio(&ledger.window);
		if !matches!(judgement, Judgement::Wait) {
			ledger.window = Window::starting(now);
		}
		Ledgers::<T>::insert(device, ledger);
		if let Judgement::Change { profitable } = judgement {
			T::Devices::on_profitability(device, profitable);
			Self::deposit_event(Event::ProfitabilityChanged { device, ratio, profitable });
		}
	}

	/// The table of the crate's documentation.
	fn judge(
		status: DeviceStatus,
		ledger: &Ledger,
		now: Moment,
		p: &EnergyParameters,
	) -> Judgement {
		let age = now.saturating_sub(ledger.window.since);
		if age < p.window_millis {
			return Judgement::Wait;
		}
		let ratio = ratio(&ledger.window);
		match status {
			DeviceStatus::Active => {
				let fledged = now.saturating_sub(ledger.since) >= p.standby_after_millis;
				if fledged && ratio.is_some_and(|r| r < p.standby_ratio) {
					Judgement::Change { profitable: false }
				} else {
					Judgement::Roll
				}
			},
			DeviceStatus::Standby => {
				let recovered = ratio.is_some_and(|r| r >= p.resume_ratio);
				if recovered || age >= p.standby_retry_millis {
					Judgement::Change { profitable: true }
				} else {
					Judgement::Wait
				}
			},
			DeviceStatus::Registered
			| DeviceStatus::Attested
			| DeviceStatus::Suspect
			| DeviceStatus::Draining
			| DeviceStatus::Offline
			| DeviceStatus::Jailed
			| DeviceStatus::Retired => Judgement::Roll,
		}
	}

	pub(crate) fn do_reap_device(device: DeviceId) -> DispatchResult {
		ensure!(T::Devices::device(device).is_none(), Error::<T>::DeviceExists);
		let kept = Power::<T>::contains_key(device)
			|| AcceleratorPower::<T>::contains_key(device)
			|| Ledgers::<T>::contains_key(device);
		ensure!(kept, Error::<T>::NothingToReap);

		Power::<T>::remove(device);
		AcceleratorPower::<T>::remove(device);
		Ledgers::<T>::remove(device);
		Self::deposit_event(Event::DeviceReaped { device });
		Ok(())
	}
}

/// Income over energy cost, rounded down; `None` when no energy was priced.
fn ratio(window: &Window) -> Option<Ppm> {
	if window.energy_cost == 0 {
		return None;
	}
	// A product above u128 is so far above any cost that it counts as the most there is.
	let scaled = window.income.saturating_mul(Ppm::ONE.0.into());
	let ratio = scaled.checked_div(window.energy_cost)?;
	Some(Ppm(u32::try_from(ratio).unwrap_or(u32::MAX)))
}

impl<T: Config> EnergyInspect for Pallet<T> {
	fn quote(device: DeviceId, placement: Placement) -> Result<BreakEven, QuoteError> {
		let (info, site) = Self::place(device)?;
		let now = T::Clock::now();
		let parameters = Parameters::<T>::get();
		let tariff = Tariffs::<T>::get(info.site).ok_or(QuoteError::NoTariff)?;
		let reading = Self::fresh_power(device, PowerLoad::Lanes, now, &parameters)?;
		let rate = Self::median(&Feeders::<T>::get(tariff.currency), now, &parameters)
			.ok_or(QuoteError::FeedStale)?;
		let terms = Terms {
			reading: &reading,
			lanes_total: info.lanes,
			pue: site.pue,
			tariff: &tariff,
			rate,
			fixed_fee: parameters.fixed_fee,
			protocol_fee: T::ProtocolFee::get(),
			margin: parameters.margin,
		};
		break_even(&terms, &placement).map_err(|_| QuoteError::Overflow)
	}

	fn wall_power(device: DeviceId, lanes: u16) -> Result<MilliWatts, QuoteError> {
		let (info, site) = Self::place(device)?;
		let (now, parameters) = (T::Clock::now(), Parameters::<T>::get());
		let reading = Self::fresh_power(device, PowerLoad::Lanes, now, &parameters)?;
		power::placement_power(&reading, lanes, info.lanes)
			.and_then(|power| power::wall_power(power, site.pue))
			.map_err(|_| QuoteError::Overflow)
	}

	fn full_power(device: DeviceId, load: PowerLoad) -> Result<MilliWatts, QuoteError> {
		let (_, site) = Self::place(device)?;
		let reading = Self::fresh_power(device, load, T::Clock::now(), &Parameters::<T>::get())?;
		// Whatever it is that is busy, all of it is.
		power::placement_power(&reading, 1, 1)
			.and_then(|power| power::wall_power(power, site.pue))
			.map_err(|_| QuoteError::Overflow)
	}
}

impl<T: Config> PowerSink for Pallet<T> {
	fn on_power(device: DeviceId, load: PowerLoad, reading: PowerReading) {
		if T::Devices::device(device).is_none() || !power::plausible(&reading) {
			Self::deposit_event(Event::PowerRejected { device });
			return;
		}
		let record = PowerRecord { reading, measured_at: T::Clock::now() };
		match load {
			PowerLoad::Lanes => Power::<T>::insert(device, record),
			PowerLoad::Accelerator => AcceleratorPower::<T>::insert(device, record),
		}
		Self::deposit_event(Event::PowerRecorded { device, load, reading });
	}
}

impl<T: Config> EnergyLedger for Pallet<T> {
	fn on_energy(device: DeviceId, energy: MilliWattHours, at: Moment) {
		Self::with_ledger(device, |info, ledger| {
			let add = |sum: &mut MilliWattHours| sum.0 = sum.0.saturating_add(energy.0);
			add(&mut ledger.energy);
			match Self::price_energy(info.site, energy, at) {
				Some(cost) => {
					ledger.energy_cost = ledger.energy_cost.saturating_add(cost);
					ledger.window.energy_cost = ledger.window.energy_cost.saturating_add(cost);
				},
				None => add(&mut ledger.unpriced),
			}
		});
	}

	fn on_income(device: DeviceId, amount: Balance) {
		Self::with_ledger(device, |_, ledger| {
			ledger.income = ledger.income.saturating_add(amount);
			ledger.window.income = ledger.window.income.saturating_add(amount);
		});
	}
}

#[cfg(any(feature = "try-runtime", test))]
impl<T: Config> Pallet<T> {
	/// The invariants:
	///
	/// 1. The parameters are valid.
	/// 2. A stored feeder list is not empty, names nobody twice, is under a valid code, and has
	///    neither zero rates nor rates from the future.
	/// 3. No tariff has a price above `MaxMicroPerKwh`, and its currency code is valid.
	/// 4. Every power record is plausible and not from the future.
	/// 5. A ledger's window began no earlier than the ledger and not in the future, and holds no
	///    more than the ledger; unpriced energy is part of all energy.
	pub(crate) fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
		let now = T::Clock::now();
		let code = |currency: CurrencyCode| currency.0.iter().all(u8::is_ascii_uppercase);
		ensure!(Self::are_valid(&Parameters::<T>::get()), "1: invalid parameters");
		for (currency, feeders) in Feeders::<T>::iter() {
			ensure!(!feeders.is_empty(), "2: empty feeder list");
			ensure!(code(currency), "2: invalid currency code");
			for (i, feeder) in feeders.iter().enumerate() {
				ensure!(
					feeders.iter().skip(i.saturating_add(1)).all(|f| f.who != feeder.who),
					"2: feeder twice"
				);
				ensure!(feeder.last.is_none_or(|l| l.rate > 0 && l.at <= now), "2: bad rate");
			}
		}
		for tariff in Tariffs::<T>::iter_values() {
			let dearest = T::MaxMicroPerKwh::get();
			ensure!(tariff.micro_per_kwh.iter().all(|p| *p <= dearest), "3: price too high");
			ensure!(code(tariff.currency), "3: invalid currency code");
		}
		for record in Power::<T>::iter_values().chain(AcceleratorPower::<T>::iter_values()) {
			ensure!(power::plausible(&record.reading), "4: implausible reading");
			ensure!(record.measured_at <= now, "4: reading from the future");
		}
		for ledger in Ledgers::<T>::iter_values() {
			let window = ledger.window;
			ensure!(ledger.since <= window.since && window.since <= now, "5: window out of time");
			ensure!(window.income <= ledger.income, "5: window income above all");
			ensure!(window.energy_cost <= ledger.energy_cost, "5: window cost above all");
			ensure!(ledger.unpriced <= ledger.energy, "5: unpriced above all");
		}
		Ok(())
	}
}
