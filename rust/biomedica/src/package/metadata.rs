//! What the cloud bucket's metadata JSON says of one version of an article.

use serde_json::Value;

use crate::error::{Error, Reason, Result, Stage};

/// No metadata file is larger.
pub(crate) const MAX_METADATA: u64 = 4 << 20;
/// Objects that one article may name.
const MAX_OBJECTS: usize = 1 << 16;

/// One version of an article, as `metadata/PMCn.v.json` has it. What is missing there, or not of its kind, is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Its version number.
    pub version: Option<u32>,
    /// `PMC…`.
    pub pmcid: Option<String>,
    /// PubMed's number.
    pub pmid: Option<String>,
    /// The digital object identifier.
    pub doi: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Its citation.
    pub citation: Option<String>,
    /// The licence.
    pub license_code: Option<String>,
    /// It was retracted.
    pub is_retracted: bool,
    /// It is the author's manuscript, not what the journal published.
    pub is_manuscript: Option<bool>,
    /// Where its document is, with `?md5=`.
    pub xml_url: Option<String>,
    /// Where its other files are, with `?md5=`.
    pub media_urls: Vec<String>,
}

impl Metadata {
    /// Reads the JSON. What is no JSON object is [`Reason::Malformed`].
    pub fn parse(json: &[u8]) -> Result<Self> {
        let malformed = |what: &str| Error::new(Stage::Open, Reason::Malformed, format!("metadata: {what}"));
        let value: Value = serde_json::from_slice(json).map_err(|error| malformed(&error.to_string()))?;
        let Value::Object(object) = value else { return Err(malformed("not an object")) };
        let text = |name: &str| match object.get(name)? {
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let flag = |name: &str| object.get(name)?.as_bool();
        let media = object.get("media_urls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if media.len() > MAX_OBJECTS {
            let detail = format!("metadata: {} files, more than {MAX_OBJECTS}", media.len());
            return Err(Error::new(Stage::Open, Reason::TooLarge, detail));
        }
        Ok(Self {
            version: text("version").and_then(|version| version.parse().ok()),
            pmcid: text("pmcid"),
            pmid: text("pmid").filter(|pmid| pmid != "0"),
            doi: text("doi"),
            title: text("title"),
            citation: text("citation"),
            license_code: text("license_code"),
            is_retracted: flag("is_retracted").unwrap_or(false),
            is_manuscript: flag("is_manuscript"),
            xml_url: text("xml_url"),
            media_urls: media.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_read_and_what_is_not_of_its_kind_is_not_known() {
        let json = br#"{"pmcid": "PMC7", "version": 2, "pmid": 123, "doi": null, "title": " A title ", "is_retracted": true,
            "is_manuscript": false, "license_code": "CC BY", "xml_url": [7], "media_urls": ["s3://b/PMC7.2/a.jpg", 5]}"#;
        let found = Metadata::parse(json).unwrap();
        let expected = Metadata {
            version: Some(2),
            pmcid: Some("PMC7".into()),
            pmid: Some("123".into()),
            title: Some("A title".into()),
            license_code: Some("CC BY".into()),
            is_retracted: true,
            is_manuscript: Some(false),
            media_urls: vec!["s3://b/PMC7.2/a.jpg".into()],
            ..Metadata::default()
        };
        assert_eq!(found, expected);
        assert_eq!(Metadata::parse(b"{}").unwrap(), Metadata::default());
        for bad in [&b""[..], b"[]", b"{", b"\xff"] {
            assert_eq!(Metadata::parse(bad).unwrap_err().reason(), Reason::Malformed);
        }
    }
}
