//! A device that follows a script.

mod filled;
mod multiplied;
mod stored;

use super::*;
use armature_p2p::{messages::echo_payload, Reply};
use armature_primitives::challenge::Echo;
use armature_verifier::challenge::network::{chunk, commit_root, receipt, Direction};
use filled::{Filled, Walked};
use multiplied::Multiplied;
use stored::Stored;

/// What a device does with challenges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Script {
	Honest,
	/// Takes its time before it commits.
	Slow(Duration),
	/// Makes up the second half of every lane and sector, and one entry of the last state.
	Skips,
	/// Commits to one computation and opens another.
	OpensOthers,
	/// Opens all but one of what it is asked for.
	OpensTooFew,
	/// Opens in the opposite order.
	OpensBackwards,
	/// Opens with bytes that are no openings.
	OpensGarbage,
	/// Commits honestly and never opens.
	NeverOpens,
	/// Opens segments of lanes when it is told to.
	OpensWhenTold,
	/// Gives no answer the first time that it is asked for blocks of memory or storage, or for entries.
	MissesOpenings,
	/// Signs the commitment with another key.
	ForgesSignature,
	/// Signs a commitment to another task.
	OtherTask,
	/// Draws less under load than idle.
	AbsurdPower,
	/// Answers a challenge with something else.
	Confused,
	/// Never answers.
	Silent,
	/// Refuses the first times, then is honest.
	BusyAtFirst(u32),
	/// Lets others walk the first times.
	BusyTurns(u32),
	/// Takes its time to walk.
	WalksSlowly(Duration),
	/// Says of every segment of a walk that it ended elsewhere.
	MakesUpWalks,
	/// Has lost its first walk when that is to be opened.
	LosesWalk,
	/// Never answers a walk.
	NeverWalks,
	/// Refuses every walk.
	RefusesWalks,
	/// Has lost its memory the first times that it is asked for a turn. Takes [`REFILL`] to fill it
	/// again.
	LosesMemory(u32),
	/// Has lost its memory the first times that it is asked for blocks.
	LosesMemoryLate(u32),
	/// Has lost its memory at its first turn, and fills it with something else.
	FillsOtherwise,
	/// Has lost its lanes, states or sectors the first times that they are to be opened or read. Takes
	/// [`REFILL`] to have them again.
	LosesWork(u32),
	/// Has lost its states or sectors when the rest of what is drawn of them is to be opened.
	LosesRest,
	/// Has lost its lanes, states or sectors when they are first to be opened or read, and then has
	/// something else.
	ComputesOtherwise,
	/// Gives so many turns, refuses their walks, and gives no answer after that.
	Fades(u32),
	/// Has lost the round at its first echo.
	LosesRound,
	/// Says that the verifier is not assigned to this round.
	DeniesRound(u64),
	/// Says that the verifier is not assigned, the first times that it is asked for a turn.
	DeniesTurns(u32),
	/// Has lost its first walk when that is to be opened, and knows nothing of the verifier after that.
	DeniesAfterWalk,
	/// Takes its time for each echo.
	EchoesSlowly(Duration),
	/// Never answers an echo.
	NeverEchoes,
	/// Signs echoes with another key.
	ForgesEchoes,
	/// Never sends data.
	SendsNothing,
	/// Sends other data than it was asked for.
	SendsOther,
	/// Refuses data.
	TakesNothing,
	/// Acknowledges other data than it got.
	TakesOther,
	/// Takes its time to read.
	ReadsSlowly(Duration),
	/// Gives no answer the first times that it is asked to read.
	MissesReads(u32),
	/// Refuses to read the first times.
	BusyReads(u32),
	/// Answers something else when it is asked to read.
	ConfusedReads,
	/// Reads one block with a bit turned.
	SpoilsRead,
	/// Never opens what it has sealed, but reads it.
	NeverOpensSealed,
	/// Opens what it has sealed in the opposite order, but reads it in the right one.
	OpensSealedBackwards,
}

/// What [`Script::LosesMemory`] and [`Script::LosesWork`] take to do their work again.
pub(crate) const REFILL: Duration = Duration::from_secs(2);

/// What a device was asked for so far.
#[derive(Default)]
pub(crate) struct Asked {
	started: AtomicU32,
	turns: AtomicU32,
	walks: AtomicU32,
	openings: AtomicU32,
	echoes: AtomicU32,
	segments: Mutex<Vec<Vec<(u16, u32)>>>,
	blocks: Mutex<Vec<Vec<u32>>>,
	entries: Mutex<Vec<Vec<(u32, u32, u32)>>>,
	reads: Mutex<Vec<Vec<(u32, u32)>>>,
	sealed: Mutex<Vec<Vec<(u32, u32)>>>,
}

pub(crate) struct Device {
	pub(crate) id: u32,
	pub(crate) handle: Handle,
	/// Has [`Script::OpensWhenTold`] open.
	pub(crate) told: Arc<Notify>,
	asked: Arc<Asked>,
}

impl Device {
	/// A device that has said hello.
	pub(crate) async fn connect(id: u32, script: Script, verifier: &Verifier) -> Self {
		let device = Self::offline(id, script);
		let response = device.hello(verifier).await;
		assert!(matches!(response, ControlResponse::Welcome { .. }), "{response:?}");
		device
	}

	pub(crate) fn offline(id: u32, script: Script) -> Self {
		let (handle, inbound) = Node::spawn(NodeConfig {
			identity: [u8::try_from(id).unwrap(); 32],
			listen: vec![],
			request_timeout: Duration::from_secs(60),
			max_peers: 4,
			rate: RateLimit { per_second: 2_000, burst: 2_000 },
		})
		.unwrap();
		let (told, asked) = (Arc::new(Notify::new()), Arc::new(Asked::default()));
		let actor = Actor {
			id,
			script,
			told: told.clone(),
			asked: asked.clone(),
			lanes: HashMap::new(),
			memory: HashMap::new(),
			states: HashMap::new(),
			stored: HashMap::new(),
		};
		tokio::spawn(act(actor, inbound));
		Self { id, handle, told, asked }
	}

	/// Challenges that it was asked to start.
	pub(crate) fn started(&self) -> u32 {
		self.asked.started.load(Ordering::SeqCst)
	}

	/// Turns that it was asked for.
	pub(crate) fn turns(&self) -> u32 {
		self.asked.turns.load(Ordering::SeqCst)
	}

	/// Walks that it was asked for.
	pub(crate) fn walks(&self) -> u32 {
		self.asked.walks.load(Ordering::SeqCst)
	}

	/// Requests to open segments, of lanes or of a walk, entries, or what is sealed.
	pub(crate) fn openings(&self) -> u32 {
		self.asked.openings.load(Ordering::SeqCst)
	}

	/// What each request to open segments of lanes named.
	pub(crate) fn segments(&self) -> Vec<Vec<(u16, u32)>> {
		self.asked.segments.lock().unwrap().clone()
	}

	/// The positions of each request to open blocks.
	pub(crate) fn blocks(&self) -> Vec<Vec<u32>> {
		self.asked.blocks.lock().unwrap().clone()
	}

	/// The entries of each request to open some.
	pub(crate) fn entries(&self) -> Vec<Vec<(u32, u32, u32)>> {
		self.asked.entries.lock().unwrap().clone()
	}

	/// The blocks of each request to read some.
	pub(crate) fn reads(&self) -> Vec<Vec<(u32, u32)>> {
		self.asked.reads.lock().unwrap().clone()
	}

	/// The blocks of each request to open what is sealed.
	pub(crate) fn sealed(&self) -> Vec<Vec<(u32, u32)>> {
		self.asked.sealed.lock().unwrap().clone()
	}

	pub(crate) async fn dial(&self, verifier: &Verifier) -> PeerId {
		self.handle.dial(&verifier.addresses()[0]).await.unwrap()
	}

	pub(crate) fn hello_at(&self, sent_at: Moment, signer: u32) -> ControlRequest {
		let (device, peer) = (DeviceId(self.id), self.handle.peer_id().to_bytes());
		let payload = hello_payload(&GENESIS, device, &peer, sent_at);
		let signature = Signature::from(device_key(signer).sign(&payload).to_bytes());
		ControlRequest::Hello { device, peer, sent_at, signature }
	}

	pub(crate) async fn hello(&self, verifier: &Verifier) -> ControlResponse {
		let peer = self.dial(verifier).await;
		let hello = self.hello_at(unix_millis(), self.id);
		self.handle.control(peer, hello, WAIT).await.unwrap()
	}
}

async fn act(mut actor: Actor, mut inbound: mpsc::Receiver<Inbound>) {
	// Kept so that requests without an answer stay open.
	let mut ignored: Vec<Reply> = Vec::new();
	while let Some(Inbound { request, reply, .. }) = inbound.recv().await {
		let InboundRequest::Control(request) = request else {
			reply.refuse(Refusal::NotAssigned);
			continue;
		};
		match actor.answer(request).await {
			Some(response) => reply.control(response),
			None => ignored.push(reply),
		}
	}
}

fn refused(reason: Refusal) -> Option<ControlResponse> {
	Some(ControlResponse::Refused { reason })
}

/// What a device knows of its rounds, each by the hash of its task.
struct Actor {
	id: u32,
	script: Script,
	told: Arc<Notify>,
	asked: Arc<Asked>,
	lanes: HashMap<H256, Transcript>,
	/// With the last walk over it.
	memory: HashMap<H256, (Filled, Option<Walked>)>,
	states: HashMap<H256, Multiplied>,
	stored: HashMap<H256, Stored>,
}

/// Counts once more, and returns how often that was before.
fn counted(count: &AtomicU32) -> u32 {
	count.fetch_add(1, Ordering::SeqCst)
}

impl Actor {
	/// `None` where it gives no answer.
	async fn answer(&mut self, request: ControlRequest) -> Option<ControlResponse> {
		match request {
			ControlRequest::StartChallenge { task } => self.start(task).await,
			ControlRequest::OpenSegments { task, segments, .. } => {
				self.open_segments(task, segments).await
			},
			ControlRequest::ReserveWalk { task } => self.reserve(task),
			ControlRequest::Walk { task, key } => self.walk(task, key).await,
			ControlRequest::OpenWalk { task, key, segments } => {
				let is_first = counted(&self.asked.openings) == 0;
				let (filled, walked) = &self.memory[&task];
				let Some(walked) = walked.as_ref().filter(|walked| walked.key() == key) else {
					return refused(Refusal::NotFound);
				};
				if matches!(self.script, Script::LosesWalk | Script::DeniesAfterWalk) && is_first {
					return refused(Refusal::NotFound);
				}
				let open = |(lane, segment)| walked.open(filled, lane, segment);
				self.opened(segments.into_iter().map(open).collect())
			},
			ControlRequest::OpenBlocks { task, positions } => self.open_blocks(task, positions),
			ControlRequest::OpenEntries { task, entries } => self.open_entries(task, entries),
			ControlRequest::ReadStored { task, blocks } => self.read_stored(task, blocks).await,
			ControlRequest::OpenSealed { task, blocks } => self.open_sealed(task, blocks),
			ControlRequest::Echo { task, nonce } => self.echo(task, nonce).await,
			ControlRequest::Fetch { task, key, number, len } => match self.script {
				Script::SendsNothing => None,
				script => {
					let number = number + u32::from(script == Script::SendsOther);
					let data = chunk(Direction::Up, &task, &key, number, len);
					Some(ControlResponse::Data { data })
				},
			},
			ControlRequest::Deliver { task, key, number, data } => match self.script {
				Script::TakesNothing => refused(Refusal::RateLimited),
				script => {
					let number = number + u32::from(script == Script::TakesOther);
					let receipt = receipt(&task, &key, number, &data);
					Some(ControlResponse::Received { receipt })
				},
			},
			_ => refused(Refusal::NotAssigned),
		}
	}

	async fn open_segments(
		&mut self,
		task: H256,
		segments: Vec<(u16, u32)>,
	) -> Option<ControlResponse> {
		let count = counted(&self.asked.openings);
		self.asked.segments.lock().unwrap().push(segments.clone());
		match self.script {
			Script::OpensWhenTold => self.told.notified().await,
			Script::LosesWork(times) if count < times => return self.lost(task),
			Script::ComputesOtherwise if count == 0 => return self.lost(task),
			_ => {},
		}
		let transcript = &self.lanes[&task];
		let open = |(lane, segment): (u16, u32)| transcript.open(lane, segment).unwrap();
		self.opened(segments.into_iter().map(open).collect())
	}

	async fn echo(&self, task: H256, nonce: H256) -> Option<ControlResponse> {
		let count = counted(&self.asked.echoes);
		match self.script {
			Script::LosesRound if count == 0 => return refused(Refusal::NotFound),
			Script::NeverEchoes => return None,
			Script::EchoesSlowly(time) => tokio::time::sleep(time).await,
			_ => {},
		}
		let signer = if self.script == Script::ForgesEchoes { self.id + 1 } else { self.id };
		let payload = echo_payload(&GENESIS, DeviceId(self.id), &Echo { task, nonce });
		let signature = Signature::from(device_key(signer).sign(&payload).to_bytes());
		Some(ControlResponse::Echoed { signature })
	}

	fn reserve(&mut self, task: H256) -> Option<ControlResponse> {
		let count = counted(&self.asked.turns);
		assert!(self.memory.contains_key(&task));
		match self.script {
			Script::BusyTurns(times) if count < times => refused(Refusal::Busy),
			Script::DeniesTurns(times) if count < times => refused(Refusal::NotAssigned),
			Script::DeniesAfterWalk if count > 0 => refused(Refusal::NotAssigned),
			Script::Fades(turns) if count >= turns => None,
			Script::LosesMemory(times) if count < times => self.lost(task),
			Script::FillsOtherwise if count == 0 => self.lost(task),
			_ => Some(ControlResponse::Accepted),
		}
	}

	fn open_blocks(&mut self, task: H256, positions: Vec<u32>) -> Option<ControlResponse> {
		let count = {
			let mut blocks = self.asked.blocks.lock().unwrap();
			blocks.push(positions.clone());
			blocks.len()
		};
		match self.script {
			Script::MissesOpenings if count == 1 => return None,
			Script::LosesMemoryLate(times) if count <= usize::try_from(times).unwrap() => {
				return self.lost(task)
			},
			_ => {},
		}
		let (filled, _) = &self.memory[&task];
		self.opened(positions.into_iter().map(|at| filled.open(at)).collect())
	}

	fn open_entries(
		&mut self,
		task: H256,
		entries: Vec<(u32, u32, u32)>,
	) -> Option<ControlResponse> {
		let count = counted(&self.asked.openings);
		self.asked.entries.lock().unwrap().push(entries.clone());
		match self.script {
			Script::MissesOpenings if count == 0 => return None,
			Script::LosesWork(times) if count < times => return self.lost(task),
			Script::LosesRest if count == 1 => return self.lost(task),
			Script::ComputesOtherwise if count == 0 => return self.lost(task),
			_ => {},
		}
		let multiplied = self.states.get_mut(&task).unwrap();
		let openings = entries.into_iter().map(|entry| multiplied.open(entry)).collect();
		self.opened(openings)
	}

	/// The memory of a round, its lanes, its states or its sectors are gone.
	fn lost(&mut self, task: H256) -> Option<ControlResponse> {
		self.memory.remove(&task);
		self.lanes.remove(&task);
		self.states.remove(&task);
		self.stored.remove(&task);
		refused(Refusal::NotFound)
	}

	async fn start(&mut self, task: ChallengeTask) -> Option<ControlResponse> {
		let count = counted(&self.asked.started);
		match self.script {
			Script::Silent => return None,
			Script::BusyAtFirst(times) if count < times => return refused(Refusal::Busy),
			Script::Confused => return Some(ControlResponse::Accepted),
			Script::Slow(time) => tokio::time::sleep(time).await,
			Script::LosesMemory(_) | Script::LosesWork(_) if count > 0 => {
				tokio::time::sleep(REFILL).await
			},
			Script::DeniesRound(round) if task.round == RoundId(round) => {
				return refused(Refusal::NotAssigned)
			},
			_ => {},
		}
		let root = match task.work {
			Work::Cpu(cpu) => self.compute_lanes(task, cpu, count > 0),
			Work::Memory(_) => self.fill(task, count > 0),
			Work::Network(_) if self.script == Script::OpensOthers => H256::zero(),
			Work::Network(_) => commit_root(&task),
			Work::Gemm(_) => self.multiply(task, count > 0),
			Work::Storage(_) => self.seal(task, count > 0),
		};
		let mut power = POWER;
		let mut answered = task;
		match self.script {
			Script::AbsurdPower => power.loaded = MilliWatts(power.idle.0 - 1),
			Script::OtherTask => answered.seed = H256::zero(),
			_ => {},
		}
		let commit = ChallengeCommit { task: task_hash(&answered), root, power };
		let signer = if self.script == Script::ForgesSignature { self.id + 1 } else { self.id };
		let payload = commit_payload(&GENESIS, task.device, &commit);
		let signature = Signature::from(device_key(signer).sign(&payload).to_bytes());
		Some(ControlResponse::Committed { commit, signature })
	}

	/// The root of all lanes.
	fn compute_lanes(&mut self, task: ChallengeTask, cpu: CpuChallenge, is_again: bool) -> H256 {
		let is_made_up = |at| self.script == Script::Skips && at >= cpu.segments / 2;
		let transcript = match self.script {
			Script::ComputesOtherwise if is_again => compute(&elsewhere(task), |_| false),
			_ => compute(&task, is_made_up),
		};
		let root = transcript.root();
		let kept = match self.script {
			Script::OpensOthers => compute(&elsewhere(task), |_| false),
			_ => transcript,
		};
		self.lanes.insert(task_hash(&task), kept);
		root
	}

	/// The root of the filled memory.
	fn fill(&mut self, task: ChallengeTask, is_refill: bool) -> H256 {
		let filled = match self.script {
			Script::FillsOtherwise if is_refill => Filled::new(&elsewhere(task), false),
			script => Filled::new(&task, script == Script::Skips),
		};
		let root = filled.root();
		let kept = match self.script {
			Script::OpensOthers => Filled::new(&elsewhere(task), false),
			_ => filled,
		};
		self.memory.insert(task_hash(&task), (kept, None));
		root
	}

	/// The root of all states.
	fn multiply(&mut self, task: ChallengeTask, is_again: bool) -> H256 {
		let multiplied = match self.script {
			Script::ComputesOtherwise if is_again => Multiplied::new(&elsewhere(task), false),
			script => Multiplied::new(&task, script == Script::Skips),
		};
		let root = multiplied.root();
		let kept = match self.script {
			Script::OpensOthers => Multiplied::new(&elsewhere(task), false),
			_ => multiplied,
		};
		self.states.insert(task_hash(&task), kept);
		root
	}

	async fn walk(&mut self, task: H256, key: H256) -> Option<ControlResponse> {
		counted(&self.asked.walks);
		match self.script {
			Script::NeverWalks => return None,
			Script::RefusesWalks | Script::Fades(_) => return refused(Refusal::NotAssigned),
			Script::WalksSlowly(time) => tokio::time::sleep(time).await,
			_ => {},
		}
		let (filled, last) = self.memory.get_mut(&task).unwrap();
		let walked = Walked::new(filled, key, self.script == Script::MakesUpWalks);
		let ends = walked.root();
		*last = Some(walked);
		Some(ControlResponse::Walked { ends })
	}

	fn opened<Opening: Encode>(&self, mut openings: Vec<Opening>) -> Option<ControlResponse> {
		match self.script {
			Script::NeverOpens => return None,
			Script::OpensGarbage => {
				return Some(ControlResponse::Opened { openings: vec![0xff; 100] })
			},
			Script::OpensTooFew => drop(openings.pop()),
			Script::OpensBackwards => openings.reverse(),
			_ => {},
		}
		Some(ControlResponse::Opened { openings: openings.encode() })
	}
}

/// What is no answer to the task.
fn elsewhere(task: ChallengeTask) -> ChallengeTask {
	ChallengeTask { seed: H256::zero(), ..task }
}

fn compute(task: &ChallengeTask, is_made_up: impl Fn(u32) -> bool) -> Transcript {
	let mut states = Vec::new();
	for lane in 0..task.work.lanes() {
		run_lane(task, lane, |segment, state| {
			let made_up = State([u64::from(segment); 8]);
			states.push(if is_made_up(segment) { made_up } else { state });
			ControlFlow::Continue(())
		})
		.unwrap();
	}
	Transcript::new(*task, states).unwrap()
}
