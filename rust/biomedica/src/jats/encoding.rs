//! The bytes of an XML file as text, whatever encoding they are in.
//!
//! UTF-8 and ASCII, which is nearly every file, are only checked and lent; the rest is decoded once. Nothing is ever
//! replaced by U+FFFD: bytes that are not of the encoding are an error that says where.

use std::borrow::Cow;

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::error::{Error, Reason, Result, Stage};
use crate::limits::Limits;

/// An XML declaration ends within this many bytes.
const DECLARATION: usize = 1024;

/// The text of an XML file: by its byte order mark, else by the look of UTF-16, else as its declaration says, else UTF-8.
pub fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Cow<'a, str>> {
    if bytes.len() as u64 > limits.xml_bytes {
        let detail = format!("{} bytes of XML, more than the limit of {}", bytes.len(), limits.xml_bytes);
        return Err(Error::new(Stage::Xml, Reason::TooLarge, detail));
    }
    let text = text_of(bytes, limits)?;
    if text.trim_ascii().is_empty() {
        let detail = if bytes.is_empty() { "no bytes" } else { "nothing but white space" };
        return Err(Error::new(Stage::Xml, Reason::Empty, detail));
    }
    Ok(text)
}

fn text_of<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Cow<'a, str>> {
    match bytes {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] | [b'<', 0, 0, 0, ..] | [0, 0, 0, b'<', ..] => {
            Err(bad_encoding("the text is in UTF-32, which is not read here"))
        }
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf_8(rest, 3),
        [0xFF, 0xFE, rest @ ..] => transcode(UTF_16LE, rest, 2, limits),
        [0xFE, 0xFF, rest @ ..] => transcode(UTF_16BE, rest, 2, limits),
        [b'<', 0, _, 0, ..] => transcode(UTF_16LE, bytes, 0, limits),
        [0, b'<', 0, _, ..] => transcode(UTF_16BE, bytes, 0, limits),
        _ => declared(bytes, limits),
    }
}

fn declared<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Cow<'a, str>> {
    let Some(label) = declared_label(bytes) else { return utf_8(bytes, 0) };
    if label.eq_ignore_ascii_case(b"us-ascii") || label.eq_ignore_ascii_case(b"ascii") {
        // encoding_rs follows the Web and reads these labels as windows-1252.
        return match Encoding::ascii_valid_up_to(bytes) {
            end if end == bytes.len() => utf_8(bytes, 0),
            end => Err(bad_bytes("US-ASCII", end)),
        };
    }
    let Some(encoding) = Encoding::for_label_no_replacement(label) else {
        let label = String::from_utf8_lossy(label);
        return Err(bad_encoding(format!("the declared encoding `{label}` is not known")));
    };
    // A declaration that could be read byte by byte is not in UTF-16; such files were converted to UTF-8 by someone.
    if encoding == UTF_8 || encoding == UTF_16LE || encoding == UTF_16BE {
        return utf_8(bytes, 0);
    }
    transcode(encoding, bytes, 0, limits)
}

/// The encoding that an XML declaration at the start of `bytes` names.
fn declared_label(bytes: &[u8]) -> Option<&[u8]> {
    let declaration = bytes.trim_ascii_start().strip_prefix(b"<?xml")?;
    let declaration = declaration.get(..DECLARATION).unwrap_or(declaration);
    let declaration = declaration.get(..memchr::memmem::find(declaration, b"?>")?)?;
    let at = memchr::memmem::find(declaration, b"encoding")?;
    let value = declaration.get(at + b"encoding".len()..)?.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (&quote, value) = value.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
    value.get(..memchr::memchr(quote, value)?)
}

fn utf_8(bytes: &[u8], skipped: usize) -> Result<Cow<'_, str>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(error) => Err(bad_bytes("UTF-8", skipped + error.valid_up_to())),
    }
}

fn transcode<'a>(
    encoding: &'static Encoding,
    bytes: &'a [u8],
    skipped: usize,
    limits: &Limits,
) -> Result<Cow<'a, str>> {
    if encoding.is_ascii_compatible() && bytes.is_ascii() {
        return utf_8(bytes, skipped);
    }
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let most = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(usize::MAX);
    let limit = usize::try_from(limits.xml_bytes).unwrap_or(usize::MAX);
    // A decoder may ask for a few bytes more than it writes, so that a text of exactly the limit still fits.
    let mut text = String::with_capacity(most.min(limit.saturating_add(16)));
    let (result, read) = decoder.decode_to_string_without_replacement(bytes, &mut text, true);
    match result {
        DecoderResult::InputEmpty if text.len() <= limit => Ok(Cow::Owned(text)),
        DecoderResult::InputEmpty | DecoderResult::OutputFull => {
            let detail = format!("the text is larger in UTF-8 than the limit of {limit} bytes");
            Err(Error::new(Stage::Xml, Reason::TooLarge, detail))
        }
        DecoderResult::Malformed(bad, after) => {
            let start = read.saturating_sub(usize::from(bad) + usize::from(after));
            Err(bad_bytes(encoding.name(), skipped + start))
        }
    }
}

#[cold]
fn bad_encoding(detail: impl Into<String>) -> Error {
    Error::new(Stage::Xml, Reason::BadEncoding, detail)
}

#[cold]
fn bad_bytes(encoding: &str, offset: usize) -> Error {
    bad_encoding(format!("bytes that are not {encoding}")).at_offset(offset as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(bytes: &[u8]) -> String {
        decode(bytes, &Limits::default()).unwrap().into_owned()
    }

    fn error(bytes: &[u8]) -> String {
        decode(bytes, &Limits::default()).unwrap_err().to_string()
    }

    fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn with_declaration(label: &str, body: &[u8]) -> Vec<u8> {
        [format!("<?xml version='1.0' encoding='{label}'?>").as_bytes(), body].concat()
    }

    #[test]
    fn utf_8_is_lent_and_its_mark_dropped() {
        for bytes in ["<a>é</a>", "\u{FEFF}<a>é</a>"] {
            let text = decode(bytes.as_bytes(), &Limits::default()).unwrap();
            assert!(matches!(text, Cow::Borrowed("<a>é</a>")), "{text}");
        }
    }

    #[test]
    fn ascii_in_any_declared_encoding_is_lent() {
        let bytes = with_declaration("windows-1252", b"<a/>");
        assert!(matches!(decode(&bytes, &Limits::default()).unwrap(), Cow::Borrowed(_)));
    }

    #[test]
    fn utf_16_is_known_by_its_mark_or_its_first_character() {
        let xml = "<?xml version='1.0' encoding='UTF-16'?><a>é𝛼</a>";
        for xml in [xml, "<a>é𝛼</a>"] {
            for prefix in ["", "\u{FEFF}"] {
                let marked = format!("{prefix}{xml}");
                assert_eq!(text(&utf_16(&marked, u16::to_le_bytes)), xml);
                assert_eq!(text(&utf_16(&marked, u16::to_be_bytes)), xml);
            }
        }
    }

    #[test]
    fn the_declared_encoding_is_followed() {
        for (label, body, expected) in [
            ("ISO-8859-1", &b"<a>\xE9\xB5</a>"[..], "<a>éµ</a>"),
            ("windows-1252", b"<a>\x96\x80</a>", "<a>–€</a>"),
            ("latin1", b"<a>\xFC</a>", "<a>ü</a>"),
            ("gb18030", b"<a>\xD6\xD0\x81\x30\x84\x36</a>", "<a>中¥</a>"),
            ("Shift_JIS", b"<a>\x93\xFA</a>", "<a>日</a>"),
            ("UTF-8", "<a>é</a>".as_bytes(), "<a>é</a>"),
            ("UTF-16", "<a>é</a>".as_bytes(), "<a>é</a>"),
        ] {
            assert!(text(&with_declaration(label, body)).ends_with(expected), "{label}");
        }
        assert!(text(b"\n <?xml version=\"1.0\"\tencoding = \"iso-8859-1\" ?><a>\xE9</a>").ends_with("é</a>"));
    }

    #[test]
    fn a_declaration_beyond_reach_or_without_encoding_means_utf_8() {
        assert_eq!(text("<?xml version='1.0'?><a>é encoding='x'</a>".as_bytes()).chars().last(), Some('>'));
        let far = format!("<?xml version='1.0'{}encoding='nope'?><a/>", " ".repeat(DECLARATION));
        assert_eq!(text(far.as_bytes()), far);
    }

    #[test]
    fn an_unknown_encoding_is_named() {
        insta::assert_snapshot!(error(&with_declaration("klingon-1", b"<a/>")), @"bad_encoding: the declared encoding `klingon-1` is not known");
        insta::assert_snapshot!(error(&with_declaration("iso-2022-kr", b"<a/>")), @"bad_encoding: the declared encoding `iso-2022-kr` is not known");
        insta::assert_snapshot!(error(b"<\0\0\0?\0\0\0"), @"bad_encoding: the text is in UTF-32, which is not read here");
    }

    #[test]
    fn bytes_of_another_encoding_are_an_error_with_their_place() {
        insta::assert_snapshot!(error(b"<a>\xE9</a>"), @"at byte 3: bad_encoding: bytes that are not UTF-8");
        insta::assert_snapshot!(error(b"\xEF\xBB\xBF<a>\xE9</a>"), @"at byte 6: bad_encoding: bytes that are not UTF-8");
        insta::assert_snapshot!(error(&with_declaration("US-ASCII", b"<a>\xE9</a>")), @"at byte 44: bad_encoding: bytes that are not US-ASCII");
        insta::assert_snapshot!(error(&with_declaration("gb18030", b"<a>\xFF</a>")), @"at byte 43: bad_encoding: bytes that are not gb18030");
        insta::assert_snapshot!(error(b"\xFF\xFE<\0\x00\xD8a\0"), @"at byte 4: bad_encoding: bytes that are not UTF-16LE");
        insta::assert_snapshot!(error(b"\xFF\xFE<\0a"), @"at byte 4: bad_encoding: bytes that are not UTF-16LE");
    }

    #[test]
    fn nothing_to_read_is_empty() {
        for bytes in [&b""[..], b" \n\t", b"\xEF\xBB\xBF", b"\xFF\xFE", b"\xFE\xFF\0 \0\n"] {
            assert_eq!(decode(bytes, &Limits::default()).unwrap_err().reason(), Reason::Empty, "{bytes:?}");
        }
    }

    #[test]
    fn size_is_held_to_the_limit_before_and_after_decoding() {
        let limits = Limits { xml_bytes: 64, ..Limits::default() };
        let reason = |bytes: &[u8]| decode(bytes, &limits).err().map(|e| e.reason());
        assert_eq!(reason(&[b'a'; 64]), None);
        assert_eq!(reason(&[b'a'; 65]), Some(Reason::TooLarge));
        let latin = |n| with_declaration("latin1", &vec![0xE9; n]);
        let room = 64 - latin(0).len();
        assert_eq!(reason(&latin(room / 2)), None);
        assert_eq!(reason(&latin(room / 2 + 1)), Some(Reason::TooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_give_text_or_an_xml_error(
            start in prop::sample::select(vec!["", "<?xml version='1.0' encoding='gb18030'?>", "<?xml encoding=\"iso-2022-jp\"?>"]),
            bytes in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            for bytes in [&bytes, &[start.as_bytes(), &bytes].concat()] {
                if let Err(error) = decode(bytes, &Limits::default()) {
                    prop_assert_eq!(error.stage(), Stage::Xml);
                    prop_assert!(error.offset().unwrap_or(0) <= bytes.len() as u64);
                }
            }
        }
    }
}
