//! The server over real connections on loopback.

use super::*;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ANYWHERE: &str = "127.0.0.1:0";

/// With one counter, which stands at 3.
fn registry() -> Arc<Registry> {
	let mut registry = Registry::with_prefix("test");
	let counter: Counter = Counter::default();
	counter.inc_by(3);
	registry.register("answers", "Answers to everything", counter);
	Arc::new(registry)
}

async fn start(patience: Patience) -> Server {
	serve_with(ANYWHERE.parse().unwrap(), registry(), patience).await.unwrap()
}

/// What comes back until the server closes the connection.
async fn ask(server: &Server, request: &str) -> String {
	let mut stream = TcpStream::connect(server.address()).await.unwrap();
	stream.write_all(request.as_bytes()).await.unwrap();
	let mut answer = Vec::new();
	stream.read_to_end(&mut answer).await.unwrap();
	String::from_utf8(answer).unwrap()
}

fn get(path: &str) -> String {
	format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

#[tokio::test]
async fn metrics_should_be_served_as_openmetrics_text() {
	let server = serve(ANYWHERE.parse().unwrap(), registry()).await.unwrap();
	assert_ne!(server.address().port(), 0);
	let answer = ask(&server, &get("/metrics")).await;
	let (head, body) = answer.split_once("\r\n\r\n").unwrap();
	assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
	assert!(head.contains("application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
	assert_eq!(
		body,
		"# HELP test_answers Answers to everything.\n# TYPE test_answers counter\n\
		 test_answers_total 3\n# EOF\n"
	);
	// Prometheus may ask with parameters.
	assert!(ask(&server, &get("/metrics?x=1")).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn nothing_else_should_be_served() {
	let server = start(PATIENCE).await;
	for path in ["/", "/metrics/", "/metric", "/metrics/../metrics"] {
		let answer = ask(&server, &get(path)).await;
		assert!(answer.starts_with("HTTP/1.1 404 Not Found"), "{path}: {answer}");
	}
	for method in ["POST", "HEAD", "PUT", "DELETE"] {
		let request = format!("{method} /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
		let answer = ask(&server, &request).await;
		assert!(answer.starts_with("HTTP/1.1 405 Method Not Allowed"), "{method}: {answer}");
		assert!(answer.to_ascii_lowercase().contains("allow: get"), "{method}: {answer}");
	}
}

#[tokio::test]
async fn garbage_should_be_refused_and_hurt_nothing() {
	let server = start(PATIENCE).await;
	for garbage in ["\0\u{1}\u{2} nonsense\r\n\r\n", "GET /metrics HTTP/9.9\r\n\r\n"] {
		let answer = ask(&server, garbage).await;
		assert!(answer.starts_with("HTTP/1.1 400 Bad Request"), "{garbage:?}: {answer}");
	}
	assert!(ask(&server, &get("/metrics")).await.contains("test_answers_total 3"));
}

#[tokio::test]
async fn requests_with_too_long_headers_should_be_refused() {
	let server = start(PATIENCE).await;
	let with = |headers: &str| format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
	let long = with(&format!("A: {}\r\n", "a".repeat(MAX_HEADER_LEN)));
	let many = with(&"A: b\r\n".repeat(MAX_HEADERS));
	for request in [long, many] {
		let mut stream = TcpStream::connect(server.address()).await.unwrap();
		stream.write_all(request.as_bytes()).await.unwrap();
		let mut answer = Vec::new();
		// What was not read may reset the connection before the answer is.
		let _ = stream.read_to_end(&mut answer).await;
		let answer = String::from_utf8(answer).unwrap();
		assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
	}
	let fits = with(&"A: b\r\n".repeat(MAX_HEADERS - 1));
	assert!(ask(&server, &fits).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn connection_should_be_closed_after_its_answer() {
	let server = start(PATIENCE).await;
	let two = [get("/metrics"), get("/metrics")].concat();
	let answer = ask(&server, &two).await;
	assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

#[tokio::test]
async fn slow_clients_should_be_cut_off_and_let_others_in() {
	let headers = Duration::from_millis(500);
	let server = start(Patience { headers, ..PATIENCE }).await;
	let begun = Instant::now();
	let mut idle = Vec::new();
	for half in ["", "GET /metr"].iter().cycle().take(MAX_CONNECTIONS) {
		let mut stream = TcpStream::connect(server.address()).await.unwrap();
		stream.write_all(half.as_bytes()).await.unwrap();
		idle.push(stream);
	}
	// One more has to wait until one of them is given up.
	let answer = ask(&server, &get("/metrics")).await;
	assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
	assert!(begun.elapsed() >= headers, "{:?}", begun.elapsed());
	assert!(begun.elapsed() < PATIENCE.headers, "{:?}", begun.elapsed());
	for mut stream in idle {
		let mut answer = Vec::new();
		let _ = stream.read_to_end(&mut answer).await;
		assert!(!String::from_utf8(answer).unwrap().contains("200 OK"));
	}
}

#[tokio::test]
async fn connection_should_take_no_longer_than_all_its_time() {
	let all = Duration::from_millis(300);
	let server = start(Patience { all, ..PATIENCE }).await;
	let mut stream = TcpStream::connect(server.address()).await.unwrap();
	let begun = Instant::now();
	let mut answer = Vec::new();
	let _ = stream.read_to_end(&mut answer).await;
	assert!(answer.is_empty());
	assert!(begun.elapsed() < PATIENCE.headers, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn address_in_use_should_be_told_with_the_setting_to_change() {
	let first = start(PATIENCE).await;
	let error = serve(first.address(), registry()).await.unwrap_err();
	assert!(matches!(error, MetricsError::InUse(address) if address == first.address()));
	assert!(error.to_string().contains("metrics.listen"), "{error}");
}

#[tokio::test]
async fn only_loopback_should_be_listened_on() {
	for address in ["0.0.0.0:0", "192.0.2.1:9702", "[::]:0", "[2001:db8::1]:9702"] {
		let address: SocketAddr = address.parse().unwrap();
		let error = serve(address, registry()).await.unwrap_err();
		assert!(matches!(error, MetricsError::NotLoopback(told) if told == address), "{error}");
		assert!(error.to_string().contains("metrics.listen"), "{error}");
	}
}

#[tokio::test]
async fn address_should_be_free_after_a_stop_and_a_drop() {
	let server = start(PATIENCE).await;
	let address = server.address();
	let open = TcpStream::connect(address).await.unwrap();
	server.stop().await;
	assert!(TcpStream::connect(address).await.is_err());
	drop(open);

	let server = start(PATIENCE).await;
	let address = server.address();
	drop(server);
	let begun = Instant::now();
	while TcpStream::connect(address).await.is_ok() {
		assert!(begun.elapsed() < PATIENCE.all, "still served");
		tokio::time::sleep(Duration::from_millis(10)).await;
	}
}
