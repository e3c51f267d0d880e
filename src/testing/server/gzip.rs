//! Bodies in gzip, as API servers encode them.

use std::{
    io::{self, Write},
    mem,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures::{Stream, StreamExt};
use http::{HeaderMap, header::ACCEPT_ENCODING};

use crate::testing::server::body::Chunks;

/// The members of a gzip body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Members {
    /// A single member with the whole body: a list.
    One,
    /// A member for each chunk, which a client can decode as soon as it arrives: a watch.
    Each,
}

/// Returns whether a client accepts gzip.
pub(super) fn is_accepted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|own| own.to_str().ok());
    values.flat_map(|own| own.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("gzip") && parts.all(|weight| !matches!(weight, "q=0" | "q=0.0"))
    })
}

/// Encodes the chunks of a body.
pub(super) fn encode(
    mut chunks: Chunks,
    members: Members,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    async_stream::stream! {
        let mut encoder = encoder();
        while let Some(chunk) = chunks.next().await {
            yield chunk.and_then(|bytes| {
                encoder.write_all(&bytes)?;
                if members == Members::Each {
                    return mem::replace(&mut encoder, self::encoder()).finish().map(Bytes::from);
                }
                // Send each item as soon as it is written, as without an encoding.
                encoder.flush()?;
                Ok(mem::take(encoder.get_mut()).into())
            });
        }
        if members == Members::One {
            yield encoder.finish().map(Bytes::from);
        }
    }
}

/// Returns an encoder with the setting of API servers, which prefer speed to size.
fn encoder() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::fast())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::{GzDecoder, MultiGzDecoder};
    use futures::{FutureExt, stream};
    use http_body_util::BodyExt;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::server::{ApiServer, Fault, Verb};

    fn encoded(members: Members, lines: &[&'static str]) -> Vec<Bytes> {
        let chunks: Vec<_> =
            lines.iter().map(|line| Ok(Bytes::from_static(line.as_bytes()))).collect();
        let encoded = encode(stream::iter(chunks).boxed(), members).collect::<Vec<_>>();
        let encoded = encoded.now_or_never().expect("nothing to wait for");
        encoded.into_iter().map(|chunk| chunk.expect("written to memory")).collect()
    }

    fn text(mut decoder: impl Read) -> String {
        let mut text = String::new();
        decoder.read_to_string(&mut text).expect("gzip");
        text
    }

    #[test]
    fn a_list_is_one_member_and_each_event_another() {
        let list = encoded(Members::One, &["a\n", "b\n"]).concat();
        assert_eq!(text(GzDecoder::new(&list[..])), "a\nb\n");

        let events = encoded(Members::Each, &["a\n", "b\n"]);
        assert_eq!(events.len(), 2);
        assert_eq!(text(GzDecoder::new(&events[0][..])), "a\n");
        assert_eq!(text(GzDecoder::new(&events[1][..])), "b\n");
        let whole = events.concat();
        assert_eq!(text(GzDecoder::new(&whole[..])), "a\n", "for a client that reads one member");
        assert_eq!(text(MultiGzDecoder::new(&whole[..])), "a\nb\n");
    }

    #[test]
    fn items_of_a_list_leave_one_by_one() {
        let chunks = encoded(Members::One, &["first", "second"]);
        assert_eq!(chunks.len(), 3);
        let mut first = [0; 5];
        GzDecoder::new(&chunks[0][..]).read_exact(&mut first).expect("a whole item");
        assert_eq!(&first, b"first");
    }

    #[test]
    fn clients_say_whether_they_accept_gzip() {
        let accepts = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, http::HeaderValue::from_static(value));
            is_accepted(&headers)
        };
        for yes in ["gzip", "br, gzip", "gzip;q=0.5, identity"] {
            assert!(accepts(yes), "{yes}");
        }
        for no in ["identity", "br", "gzip;q=0", "x-gzip"] {
            assert!(!accepts(no), "{no}");
        }
        assert!(!is_accepted(&HeaderMap::new()));
    }

    #[tokio::test(start_paused = true)]
    async fn faults_of_events_come_before_the_encoding() {
        let server = ApiServer::new();
        server.set_gzip(true);
        for name in ["a", "b"] {
            let metadata = json!({"name": name});
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
            server.apply(&object).expect("valid");
        }
        let body = async |fault: Option<Fault>, watch: bool| {
            let verb = if watch { Verb::Watch } else { Verb::List };
            server.fault(verb, fault.iter().count(), fault.unwrap_or(Fault::Refused));
            let path = format!("/api/v1/configmaps?watch={watch}&timeoutSeconds=1");
            let request = http::Request::get(path).header(ACCEPT_ENCODING, "gzip");
            let request = request.body(kube::client::Body::empty()).expect("a request");
            let answer = server.client().send(request).await.expect("an answer");
            let mut chunks = answer.into_body().into_data_stream();
            let mut all = Vec::new();
            while let Some(Ok(chunk)) = chunks.next().await {
                all.extend_from_slice(&chunk);
            }
            all
        };
        let list = body(None, false).await;
        let list: Value = serde_json::from_str(&text(GzDecoder::new(&list[..]))).expect("JSON");
        assert_eq!(list["items"].as_array().map(Vec::len), Some(2));

        let events = body(None, true).await;
        assert_eq!(text(MultiGzDecoder::new(&events[..])).lines().count(), 2);
        let events = body(Some(Fault::Disconnect { after_events: 1 }), true).await;
        assert_eq!(text(MultiGzDecoder::new(&events[..])).lines().count(), 1);
        let events = body(Some(Fault::Torn { after_events: 1 }), true).await;
        assert!(!text(MultiGzDecoder::new(&events[..])).ends_with('\n'));
        // Faults of bytes apply after the encoding.
        let events = body(Some(Fault::Cut { after_bytes: 20 }), true).await;
        assert_eq!(events.len(), 20);
        assert!(MultiGzDecoder::new(&events[..]).read_to_end(&mut Vec::new()).is_err());
    }
}
