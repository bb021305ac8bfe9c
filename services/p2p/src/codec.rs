//! Frames: a little-endian `u32` length, then that many bytes.

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{request_response, StreamProtocol};
use std::{io, time::Duration};

/// A peer that has opened a stream must have sent its request by then.
const READ_REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// One message as it travels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Frame {
	/// Its bytes, still undecoded.
	Bytes(Vec<u8>),
	/// Its length prefix was over the cap; nothing more was read.
	TooLarge,
}

/// Reads and writes frames of at most `cap` bytes.
#[derive(Clone, Debug)]
pub(crate) struct FrameCodec {
	pub(crate) cap: u32,
}

impl FrameCodec {
	async fn read<T: AsyncRead + Unpin + Send>(&self, io: &mut T) -> io::Result<Frame> {
		let mut prefix = [0u8; 4];
		io.read_exact(&mut prefix).await?;
		let len = u32::from_le_bytes(prefix);
		if len > self.cap {
			return Ok(Frame::TooLarge);
		}
		// Grows with what arrives: a prefix alone reserves nothing.
		let mut bytes = Vec::new();
		let read = io.take(u64::from(len)).read_to_end(&mut bytes).await?;
		if u32::try_from(read) != Ok(len) {
			return Err(io::ErrorKind::UnexpectedEof.into());
		}
		Ok(Frame::Bytes(bytes))
	}

	async fn write<T: AsyncWrite + Unpin + Send>(
		&self,
		io: &mut T,
		frame: Frame,
	) -> io::Result<()> {
		let Frame::Bytes(bytes) = frame else {
			return Err(io::Error::new(io::ErrorKind::InvalidInput, "frame over the cap"));
		};
		let len = u32::try_from(bytes.len())
			.ok()
			.filter(|len| *len <= self.cap)
			.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "frame over the cap"))?;
		io.write_all(&len.to_le_bytes()).await?;
		io.write_all(&bytes).await?;
		io.flush().await
	}
}

impl request_response::Codec for FrameCodec {
	type Protocol = StreamProtocol;
	type Request = Frame;
	type Response = Frame;

	async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Frame>
	where
		T: AsyncRead + Unpin + Send,
	{
		tokio::time::timeout(READ_REQUEST_TIMEOUT, self.read(io))
			.await
			.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
	}

	// How long a response may take is the caller's and the behaviour's to say.
	async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Frame>
	where
		T: AsyncRead + Unpin + Send,
	{
		self.read(io).await
	}

	async fn write_request<T>(
		&mut self,
		_: &StreamProtocol,
		io: &mut T,
		request: Frame,
	) -> io::Result<()>
	where
		T: AsyncWrite + Unpin + Send,
	{
		self.write(io, request).await
	}

	async fn write_response<T>(
		&mut self,
		_: &StreamProtocol,
		io: &mut T,
		response: Frame,
	) -> io::Result<()>
	where
		T: AsyncWrite + Unpin + Send,
	{
		self.write(io, response).await
	}
}
