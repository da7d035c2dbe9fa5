//! The licence of an article, from everything that its document and its metadata say of it.

mod names;

use memchr::memmem;

use super::License;
pub use names::CODES;
use names::Codes;

/// What speaks for a licence, in the order it stands in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// `license_code` of the cloud metadata.
    pub codes: Vec<String>,
    /// Text and `content-type` of each `ali:license_ref`, also of those for text mining: PMC marks licences so.
    pub refs: Vec<(String, Option<String>)>,
    /// Every href on or in `license`.
    pub hrefs: Vec<String>,
    /// Text of `license`.
    pub license_text: String,
    /// Text of `copyright-statement`.
    pub copyright_text: String,
}

/// The strictest licence that the evidence names, and whether it names another too.
///
/// CC0 beside another CC licence is the usual waiver for the data and no evidence. The copyright statement counts when
/// the text of `license` names no licence.
pub fn judge(evidence: &Evidence) -> License {
    let (mut in_metadata, mut in_urls) = (Codes::default(), Codes::default());
    for code in &evidence.codes {
        in_metadata |= if code.trim().eq_ignore_ascii_case("TDM") { Codes::TDM } else { names::find(code) };
    }
    for (text, content_type) in &evidence.refs {
        in_urls |= names::find(text);
        in_urls |= content_type.as_deref().map_or(Codes::default(), of_content_type);
    }
    for href in &evidence.hrefs {
        in_urls |= names::find(href);
    }
    let in_text = names::find(&evidence.license_text);
    let in_text = if in_text.is_empty() { names::find(&evidence.copyright_text) } else { in_text };
    let mut found = in_metadata;
    found |= in_urls;
    found |= in_text;
    let found = found.without_waiver();
    License {
        code: found.strictest(),
        url: url(evidence, found),
        text: [&evidence.license_text, &evidence.copyright_text]
            .map(|text| text.trim())
            .into_iter()
            .find(|text| !text.is_empty())
            .map(str::to_owned),
        conflict: found.disagree(),
        in_metadata: in_metadata.without_waiver().strictest(),
        in_urls: in_urls.without_waiver().strictest(),
        in_text: in_text.without_waiver().strictest(),
    }
}

/// The licence of PMC's values such as `ccbyncndlicense` and `cc0license`.
fn of_content_type(content_type: &str) -> Codes {
    let word: String =
        content_type.chars().filter(char::is_ascii_alphanumeric).take(64).collect::<String>().to_ascii_lowercase();
    let word = ["license", "licence"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(&word);
    match word.strip_prefix("cc") {
        Some(kind) => names::find_abbreviated(kind.strip_suffix("igo").unwrap_or(kind)),
        None if word == "tdm" => Codes::TDM,
        None => Codes::default(),
    }
}

/// The first licence URL as written; one of a waiver only when there is no other. Else the first address of all, since
/// publishers' own licences have theirs.
fn url(evidence: &Evidence, found: Codes) -> Option<String> {
    let addresses = || evidence.hrefs.iter().chain(evidence.refs.iter().map(|(text, _)| text)).map(|text| text.trim());
    let texts = [&evidence.license_text, &evidence.copyright_text];
    let licenses: Vec<&str> =
        addresses().filter(|url| is_license_url(url)).chain(texts.into_iter().flat_map(|text| urls_in(text))).collect();
    let waived = |url: &&&str| found.excludes(names::find(url));
    let license = licenses.iter().find(|url| !waived(url)).or(licenses.first()).copied();
    license.or_else(|| addresses().find(|url| is_web_address(url))).map(str::to_owned)
}

fn is_license_url(text: &str) -> bool {
    const HOST: &str = "creativecommons.org/";
    if !is_web_address(text) && !starts_with(text, HOST) {
        return false;
    }
    let path = text.to_ascii_lowercase().split_once(HOST).map(|(_, path)| path.len() > 1);
    path.unwrap_or_else(|| !names::find(text).is_empty())
}

fn is_web_address(text: &str) -> bool {
    ["http://", "https://", "//", "www."].iter().any(|start| starts_with(text, start))
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

/// The licence URLs in running text, without what is punctuation around them.
fn urls_in(text: &str) -> impl Iterator<Item = &str> {
    let around = |c: char| matches!(c, '(' | ')' | '[' | ']' | '<' | '>' | '"' | '\'' | '“' | '”') || c.is_whitespace();
    // Most texts hold no address at all.
    let worth = memmem::find(text.as_bytes(), b".org").is_some() || memmem::find(text.as_bytes(), b"://").is_some();
    let text = if worth { text } else { "" };
    text.split(around).filter_map(|word| {
        let start = memmem::find(word.as_bytes(), b"http").unwrap_or(0);
        let word = word.get(start..)?.trim_end_matches(['.', ',', ';', ':']);
        is_license_url(word).then_some(word)
    })
}

#[cfg(test)]
mod tests;
