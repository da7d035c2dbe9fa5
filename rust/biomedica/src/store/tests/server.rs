//! An HTTP server of a few lines: one request a connection, answered by a closure.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const STALL: Duration = Duration::from_secs(2);

pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Send only so much of the body, then hang up.
    pub cut: Option<usize>,
    /// Send only so much of the body (at 0 not even the headers), then nothing for two seconds.
    pub stall: Option<usize>,
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), cut: None, stall: None }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What a good server answers for `data`.
pub(crate) fn serve(data: &[u8], etag: &str, request: &str) -> Answer {
    let mut answer = Answer::new(200).header("ETag", &format!("\"{etag}\""));
    let range = request.lines().find_map(|line| line.strip_prefix("range: bytes="));
    let Some((start, end)) = range.and_then(|range| range.split_once('-')) else {
        data.clone_into(&mut answer.body);
        return answer;
    };
    let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse::<usize>().unwrap() + 1);
    let end = end.min(data.len());
    if start >= data.len() {
        return Answer::new(416);
    }
    answer.status = 206;
    data[start..end].clone_into(&mut answer.body);
    answer.header("Content-Range", &format!("bytes {start}-{}/{}", end - 1, data.len()))
}

pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// A server that asks `answer` with each request's number and text, in lower case but for its first line.
    pub(crate) fn new(answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), answer)
    }

    pub(crate) fn of(data: Vec<u8>) -> Self {
        Self::new(move |_, request| serve(&data, "1", request))
    }

    pub(crate) fn at(address: SocketAddr, answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let (address, requests, stop) = (listener.local_addr().unwrap(), Arc::default(), Arc::<AtomicBool>::default());
        let (seen, ended) = (Arc::clone(&requests), Arc::clone(&stop));
        let answer = Arc::new(answer);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                // A client that hangs up is no fault of the server.
                std::thread::spawn(move || stream.and_then(|stream| reply(stream, &seen, &*answer)));
            }
        });
        Self { address, requests, stop, thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn reply(
    mut stream: TcpStream,
    seen: &Mutex<Vec<String>>,
    answer: &dyn Fn(usize, &str) -> Answer,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut lines = reader.by_ref().lines();
    let mut request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        request = format!("{request}\n{}", line.to_lowercase());
    }
    // Who hangs up on a client that is still sending resets the connection.
    let length = request.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    std::io::copy(&mut reader.take(length.unwrap_or(0)), &mut std::io::sink())?;
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let answer = answer(number, &request);
    if answer.stall == Some(0) {
        std::thread::sleep(STALL);
    }
    let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    write!(stream, "{head}Content-Length: {}\r\n\r\n", answer.body.len())?;
    let sent = answer.cut.or(answer.stall).unwrap_or(answer.body.len());
    stream.write_all(&answer.body[..sent])?;
    if answer.stall.is_some() {
        std::thread::sleep(STALL);
    }
    Ok(())
}
