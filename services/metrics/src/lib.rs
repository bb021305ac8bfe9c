//! What a service counts, for Prometheus to fetch.
//!
//! [`serve`] answers `GET /metrics` with a [`Registry`] in the text format of OpenMetrics, and nothing
//! else. It listens on loopback only, since it asks nobody who they are and some figures are not for
//! everyone: a verifier's say what it found before the others of a committee have said the same. Whoever
//! wants them elsewhere puts something before it that asks.
//!
//! Everything is bounded: connections, the time that each takes, and the length of what it asks.

pub use prometheus_client::{
	metrics::{
		counter::Counter,
		family::Family,
		gauge::Gauge,
		histogram::{exponential_buckets, Histogram},
	},
	registry::{Registry, Unit},
};

use hyper::{
	body::Incoming,
	header::{HeaderValue, ALLOW, CONTENT_TYPE},
	server::conn::http1,
	service::service_fn,
	Method, Request, Response, StatusCode,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
	net::{TcpListener, TcpStream},
	task::JoinSet,
};

/// The only path that is served.
pub const PATH: &str = "/metrics";

/// Connections at once; more wait.
const MAX_CONNECTIONS: usize = 16;

/// The most headers of a request.
const MAX_HEADERS: usize = 32;

/// The most bytes of a request's headers.
const MAX_HEADER_LEN: usize = 4 * 1024;

/// The most bytes that are read ahead; the least that the server's library takes.
const MAX_READ_LEN: usize = 8 * 1024;

/// Pause after a connection that could not be accepted: the process has too many files open, perhaps.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// How long a connection may take.
#[derive(Clone, Copy, Debug)]
struct Patience {
	/// Until its headers are read.
	headers: Duration,
	/// In all.
	all: Duration,
}

const PATIENCE: Patience =
	Patience { headers: Duration::from_secs(5), all: Duration::from_secs(10) };

/// Why metrics are not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
	/// Others could reach the address.
	#[error("metrics are for this machine alone, {0} is not on loopback: change metrics.listen")]
	NotLoopback(SocketAddr),
	/// Another process listens there.
	#[error("the address {0} for metrics is in use: name another one in metrics.listen")]
	InUse(SocketAddr),
	/// The address cannot be listened on.
	#[error("listening on {address} for metrics, as metrics.listen says")]
	Listen {
		/// The address.
		address: SocketAddr,
		/// The cause.
		#[source]
		source: io::Error,
	},
}

/// What serves metrics, until [`Server::stop`] or its drop.
#[derive(Debug)]
pub struct Server {
	address: SocketAddr,
	tasks: JoinSet<()>,
}

impl Server {
	/// Where it listens, with the port that the system chose where 0 was asked for.
	pub fn address(&self) -> SocketAddr {
		self.address
	}

	/// Stops, and waits until the address is free.
	pub async fn stop(mut self) {
		self.tasks.shutdown().await;
	}
}

/// Serves a registry on a loopback address.
///
/// # Errors
///
/// [`MetricsError`].
pub async fn serve(listen: SocketAddr, registry: Arc<Registry>) -> Result<Server, MetricsError> {
	serve_with(listen, registry, PATIENCE).await
}

async fn serve_with(
	listen: SocketAddr,
	registry: Arc<Registry>,
	patience: Patience,
) -> Result<Server, MetricsError> {
	if !listen.ip().is_loopback() {
		return Err(MetricsError::NotLoopback(listen));
	}
	let failed = |source: io::Error| match source.kind() {
		io::ErrorKind::AddrInUse => MetricsError::InUse(listen),
		_ => MetricsError::Listen { address: listen, source },
	};
	let listener = TcpListener::bind(listen).await.map_err(failed)?;
	let address = listener.local_addr().map_err(failed)?;
	let mut tasks = JoinSet::new();
	tasks.spawn(accept(listener, registry, patience));
	tracing::info!(%address, "metrics are served");
	Ok(Server { address, tasks })
}

/// Takes connections, each in a task of its own. All end with this one.
async fn accept(listener: TcpListener, registry: Arc<Registry>, patience: Patience) {
	let mut connections = JoinSet::new();
	loop {
		tokio::select! {
			accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
				Ok((stream, _)) => {
					connections.spawn(converse(stream, registry.clone(), patience));
				},
				Err(error) => {
					tracing::warn!(%error, "cannot accept a connection for metrics");
					tokio::time::sleep(ACCEPT_PAUSE).await;
				},
			},
			Some(done) = connections.join_next(), if !connections.is_empty() => {
				if let Err(error) = done {
					tracing::error!(%error, "serving metrics failed");
				}
			},
		}
	}
}

/// Answers one request.
async fn converse(stream: TcpStream, registry: Arc<Registry>, patience: Patience) {
	let service = service_fn(move |request: Request<Incoming>| {
		let response = answer(&request, &registry);
		async move { Ok::<_, Infallible>(response) }
	});
	let connection = http1::Builder::new()
		.timer(TokioTimer::new())
		.keep_alive(false)
		.max_headers(MAX_HEADERS)
		.max_header_size(MAX_HEADER_LEN)
		.max_buf_size(MAX_READ_LEN)
		.header_read_timeout(patience.headers)
		.serve_connection(TokioIo::new(stream), service);
	match tokio::time::timeout(patience.all, connection).await {
		Ok(Ok(())) => {},
		Ok(Err(error)) => tracing::debug!(%error, "a connection for metrics failed"),
		Err(_) => tracing::debug!("a connection for metrics took too long"),
	}
}

fn answer<B>(request: &Request<B>, registry: &Registry) -> Response<String> {
	if request.uri().path() != PATH {
		return response(StatusCode::NOT_FOUND, TEXT, format!("only {PATH} is here\n"));
	}
	if request.method() != Method::GET {
		let text = "only GET is answered\n".to_owned();
		let mut refused = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
		refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
		return refused;
	}
	let mut text = String::new();
	match encode(&mut text, registry) {
		Ok(()) => response(StatusCode::OK, OPENMETRICS, text),
		Err(error) => {
			tracing::error!(%error, "metrics cannot be written");
			let text = "metrics cannot be written\n".to_owned();
			response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, text)
		},
	}
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<String> {
	let mut response = Response::new(body);
	*response.status_mut() = status;
	let content_type = HeaderValue::from_static(content_type);
	response.headers_mut().insert(CONTENT_TYPE, content_type);
	response
}

#[cfg(test)]
mod tests;
