//! A server on loopback that does with each connection what a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(in crate::egress) struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// One request as it came over the wire.
pub(in crate::egress) struct Received {
    pub(in crate::egress) head: String,
    pub(in crate::egress) body: Vec<u8>,
}

impl Server {
    /// Hands each connection to `serve`.
    pub(in crate::egress) async fn start<F>(serve: fn(TcpStream) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = connections.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream));
            }
        });
        Self { port, connections, task }
    }

    pub(in crate::egress) fn port(&self) -> u16 {
        self.port
    }

    pub(in crate::egress) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(in crate::egress) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads one request whole; `None` at the end of the connection.
pub(in crate::egress) async fn receive(stream: &mut BufReader<impl AsyncRead + Unpin>) -> Option<Received> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Received { head, body })
}

/// Answers every request of a connection with its own head and body.
pub(in crate::egress) async fn echo(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut stream = BufReader::new(stream);
    while let Some(Received { head, body }) = receive(&mut stream).await {
        let length = head.len() + body.len();
        let answer = [format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{head}").into_bytes(), body].concat();
        stream.write_all(&answer).await.unwrap();
    }
}
