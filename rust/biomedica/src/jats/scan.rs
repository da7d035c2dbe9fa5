//! The events of an ordinary document, read straight from its text: what makes the reader fast.
//!
//! It knows tags, text, references, comments, processing instructions and a plain document type, each in the form that
//! nearly every document has them. At anything else it gives up, and the document is read by quick-xml instead. So
//! whatever it reads it must read as quick-xml does, and what is wrong with a document is for quick-xml to say.

use memchr::{memchr, memchr2, memchr3, memmem};

/// A part of a document that the reader looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// The beginning of an element.
    Start(Element<'a>),
    /// An element without content.
    Empty(Element<'a>),
    /// The end of the element begun last.
    End,
    /// Text as it is written, without references.
    Text(&'a str),
    /// What stands between `&` and `;`.
    Reference(&'a str),
    /// What is no part of an article: a comment, a processing instruction, a document type.
    Aside,
}

/// The tag that begins an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its name with its prefix.
    pub name: &'a str,
    /// What follows the name.
    pub attributes: &'a str,
}

/// The tokens of a document. The last is followed by none, and so is the first that is not ordinary.
#[derive(Debug)]
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// Names of the elements that are open.
    open: Vec<&'a str>,
}

impl<'a> Tokens<'a> {
    pub fn of(text: &'a str) -> Self {
        Self { text, at: 0, open: Vec::new() }
    }

    fn end(&mut self) -> Option<Token<'a>> {
        let name = self.open.pop()?;
        let after = self.text.get(self.at + 2..)?.strip_prefix(name)?.strip_prefix('>')?;
        self.at = self.text.len() - after.len();
        Some(Token::End)
    }

    #[inline]
    fn start(&mut self) -> Option<Token<'a>> {
        let tag = self.text.get(self.at + 1..)?;
        let bytes = tag.as_bytes();
        let name_len = bytes.iter().position(|byte| NAME_END[usize::from(*byte)])?;
        let name = tag.get(..name_len).filter(|name| !name.is_empty())?;
        let end = if is_white(*bytes.get(name_len)?) { attributes_end(bytes, name_len)? } else { name_len };
        let attributes = tag.get(name_len..end)?;
        let element = Element { name, attributes };
        match bytes.get(end..)? {
            [b'>', ..] => {
                self.at += 1 + end + 1;
                self.open.push(name);
                Some(Token::Start(element))
            }
            [b'/', b'>', ..] => {
                self.at += 1 + end + 2;
                Some(Token::Empty(element))
            }
            _ => None,
        }
    }

    fn reference(&mut self) -> Option<Token<'a>> {
        let rest = self.text.get(self.at + 1..)?;
        let end = memchr3(b';', b'&', b'<', rest.as_bytes())?;
        let name = rest.get(..end).filter(|name| !name.is_empty() && rest.as_bytes().get(end) == Some(&b';'))?;
        self.at += 1 + end + 1;
        Some(Token::Reference(name))
    }

    /// What begins with `<!` or `<?`.
    #[cold]
    fn other(&mut self) -> Option<Token<'a>> {
        let rest = self.text.get(self.at..)?;
        let between = |open: &str, close: &str| {
            let inner = rest.strip_prefix(open)?;
            let end = memmem::find(inner.as_bytes(), close.as_bytes())?;
            Some((inner.get(..end)?, open.len() + end + close.len()))
        };
        let (token, len) = if let Some((_, len)) = between("<!--", "-->") {
            (Token::Aside, len)
        } else if let Some((text, len)) = between("<![CDATA[", "]]>") {
            (Token::Text(text), len)
        } else if let Some((_, len)) = between("<?", "?>").filter(|_| !rest.starts_with("<?>")) {
            (Token::Aside, len)
        } else {
            let (doctype, len) = between("<!DOCTYPE", ">")?;
            // What has entities of its own, or `>` in quotes, is not ordinary.
            let is_plain = !doctype.contains(['[', '\'']) && doctype.matches('"').count() % 2 == 0;
            (Some(Token::Aside).filter(|_| is_plain && !doctype.trim().is_empty())?, len)
        };
        self.at += len;
        Some(token)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    #[inline]
    fn next(&mut self) -> Option<Token<'a>> {
        let bytes = self.text.as_bytes().get(self.at..)?;
        match bytes {
            [b'<', b'/', ..] => self.end(),
            [b'<', b'!' | b'?', ..] => self.other(),
            [b'<', ..] => self.start(),
            [b'&', ..] => self.reference(),
            _ => {
                let end = memchr2(b'<', b'&', bytes)?;
                let text = self.text.get(self.at..self.at + end)?;
                self.at += end;
                Some(Token::Text(text))
            }
        }
    }
}

/// Where the attributes end that follow the name of `tag`: at `>` or `/`.
#[inline]
fn attributes_end(tag: &[u8], mut at: usize) -> Option<usize> {
    loop {
        while is_white(*tag.get(at)?) {
            at += 1;
        }
        if matches!(tag.get(at)?, b'>' | b'/') {
            return Some(at);
        }
        at = key_value(tag, at)?.1;
        if !matches!(tag.get(at)?, b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n') {
            return None;
        }
    }
}

/// Where the key ends of the attribute that begins at `at`, and where the attribute ends, if it is `key="value"`.
#[inline]
fn key_value(tag: &[u8], at: usize) -> Option<(usize, usize)> {
    let key_end = at + tag.get(at..)?.iter().position(|byte| NAME_END[usize::from(*byte)])?;
    let [b'=', quote @ (b'"' | b'\''), value @ ..] = tag.get(key_end..)? else { return None };
    Some((key_end, key_end + 2 + memchr(*quote, value)? + 1))
}

/// The first of some attributes: its key, its value as written, and what follows it. None when it has another form
/// than `key="value"`, and when there is none.
#[inline]
pub fn attribute(attributes: &str) -> Option<(&str, &str, &str)> {
    let attributes = attributes.trim_start_matches([' ', '\t', '\r', '\n']);
    let (key_end, end) = key_value(attributes.as_bytes(), 0)?;
    Some((attributes.get(..key_end)?, attributes.get(key_end + 2..end - 1)?, attributes.get(end..)?))
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Bytes that end the name of an element or attribute, or that no ordinary name has.
const NAME_END: [bool; 256] = bytes(b" \t\r\n/>\"'=<&");

const fn bytes(all: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < all.len() {
        table[all[at] as usize] = true;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::events::{BytesStart, Event};

    use super::*;

    /// The tokens that quick-xml finds, with their attributes; none for an error or the end.
    fn expected(events: &mut quick_xml::Reader<&[u8]>) -> Option<String> {
        let attributes = |tag: &BytesStart<'_>| -> Option<String> {
            let all: Result<Vec<_>, _> = tag.attributes().with_checks(false).collect();
            let all = all.ok()?.into_iter().map(|a| format!("{}={:?}", a.key.0, a.value));
            Some(std::iter::once(tag.name().0.to_owned()).chain(all).collect::<Vec<_>>().join(" "))
        };
        match events.read_event().ok()? {
            Event::Start(tag) => Some(format!("<{}>", attributes(&tag)?)),
            Event::Empty(tag) => Some(format!("<{}/>", attributes(&tag)?)),
            Event::End(_) => Some("</>".to_owned()),
            Event::Text(text) => Some(text.to_string()),
            Event::CData(text) => Some(text.to_string()),
            Event::GeneralRef(name) => Some(format!("&{};", &*name)),
            Event::Eof => None,
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => Some("aside".to_owned()),
        }
    }

    fn written(token: Token<'_>) -> String {
        let tag = |element: Element<'_>| {
            let mut all = vec![element.name.to_owned()];
            let mut rest = element.attributes;
            while let Some((key, value, after)) = attribute(rest) {
                all.push(format!("{key}={value:?}"));
                rest = after;
            }
            assert_eq!(rest.trim_ascii(), "", "not all of {:?} was read", element.attributes);
            all.join(" ")
        };
        match token {
            Token::Start(element) => format!("<{}>", tag(element)),
            Token::Empty(element) => format!("<{}/>", tag(element)),
            Token::End => "</>".to_owned(),
            Token::Text(text) => text.to_owned(),
            Token::Reference(name) => format!("&{name};"),
            Token::Aside => "aside".to_owned(),
        }
    }

    /// The tokens of a document, each held against quick-xml's.
    fn tokens(text: &str) -> Vec<String> {
        let mut events = quick_xml::Reader::from_str(text);
        events.config_mut().allow_dangling_amp = true;
        let check = |token| {
            let found = written(token);
            assert_eq!(Some(&found), expected(&mut events).as_ref(), "{text:?}");
            found
        };
        Tokens::of(text).map(check).collect()
    }

    #[test]
    fn an_ordinary_document_is_read_to_its_end() {
        let text = "<?xml version='1.0'?><!DOCTYPE a PUBLIC \"-//x//\" \"a.dtd\">\n<a b=\"1\" x:c='>' ><d/>é&amp;\
                    <!-- <e> --><![CDATA[<f>]]><?g ?><h i='' /></a>";
        let all = [
            "aside",
            "aside",
            "\n",
            "<a b=\"1\" x:c=\">\">",
            "<d/>",
            "é",
            "&amp;",
            "aside",
            "<f>",
            "aside",
            "<h i=\"\"/>",
            "</>",
        ];
        assert_eq!(tokens(text), all);
    }

    #[test]
    fn at_anything_else_it_gives_up() {
        for odd in [
            "<b c>",
            "<b c=1>",
            "<b c = '1'>",
            "<b c='1'd='2'>",
            "<b/ >",
            "<>",
            "< b>",
            "</b>",
            "</a >",
            "<!-->",
            "<?>?>",
            "<!b>",
            "<!doctype a>",
            "<!DOCTYPE>",
            "<!DOCTYPE a []>",
            "&b",
            "&;",
            "&b<",
            "<b",
            "<!--",
            "<![CDATA[",
            "<?b",
            "<b c='",
        ] {
            assert_eq!(tokens(&format!("<a>{odd}")), ["<a>"], "{odd}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn what_it_reads_it_reads_as_quick_xml_does(pieces in prop::collection::vec(prop::sample::select(vec![
            "<a>", "</a>", "<a b='c'>", "<a:b c=\"'>\" d:e='\"/'/>", "<", ">", "</", "/>", "/", "\"", "'", "=", " ", "\n", "\u{a0}",
            "é", "a", "b=", "&", ";", "&amp;", "&#9;", "<!--", "-->", "-", "<!-- x -->", "<?", "?>", "?", "!", "[", "]",
            "<![CDATA[", "]]>", "<!DOCTYPE", "<!DOCTYPE a>",
        ]), 0..16)) {
            tokens(&pieces.concat());
        }

        #[test]
        fn any_text_gives_tokens_or_none(text in "[<>&;/='\"!?\\[\\]a \n-]{0,24}") {
            tokens(&text);
        }
    }
}
