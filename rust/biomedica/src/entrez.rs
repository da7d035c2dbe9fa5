//! PubMed's records, as efetch of NCBI's E-utilities sends them.
//!
//! One pass over the events of an answer, with no tree of it. Elements are those of NLM's PubMed DTD; all others are
//! passed over. No DTD is read. An answer that is cut off or broken still gives the records before the fault.

use quick_xml::Reader as Events;
use quick_xml::events::{BytesStart, Event};

use crate::error::{Error, Reason, Result, Stage, words};
use crate::jats::text::Text;
use crate::jats::{Reference, encoding, entity, malformed};
use crate::limits::Limits;

/// How much of an answer that is none of PubMed's stands in its error.
const EXCERPT: usize = 160;

words! {
    /// What came of asking for a PMID.
    #[derive(Default)]
    Status {
        /// PubMed has its record.
        #[default]
        Found = "found",
        /// PubMed had a record and withdrew it.
        Deleted = "deleted",
        /// The answer says nothing of it.
        Missing = "missing",
        /// No answer for it could be read.
        Failed = "failed",
    }
}

/// What PubMed says of one article.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Citation {
    /// PubMed's number.
    pub pmid: String,
    /// Found or deleted.
    pub status: Status,
    /// `Descriptor`, or `Descriptor/qualifier` for each of its qualifiers; a star follows what is a major topic.
    pub mesh_terms: Vec<String>,
    /// The abstract in one line, its sections as `LABEL: text`.
    pub abstract_text: Option<String>,
    /// The reference list.
    pub references: Vec<Reference>,
}

/// What was read of an answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// The records that are whole, in their order.
    pub citations: Vec<Citation>,
    /// Why nothing could be read after them, if so.
    pub fault: Option<Error>,
}

/// Reads an answer of efetch (`db=pubmed`, `retmode=xml`).
///
/// The fault is of [`Stage::Xml`]: [`Reason::UnsupportedFormat`] when the document is none of PubMed's at all, such as
/// an error page, otherwise what is wrong with it and at which byte of the decoded text.
pub fn parse(xml: &[u8], limits: &Limits) -> Answer {
    let mut reader = Reader::default();
    let fault = encoding::decode(xml, limits).and_then(|text| read(&text, &mut reader, limits)).err();
    Answer { citations: reader.citations, fault }
}

fn read(text: &str, reader: &mut Reader, limits: &Limits) -> Result<()> {
    let mut events = Events::from_str(text);
    events.config_mut().allow_dangling_amp = true;
    loop {
        let event = events.read_event().map_err(|error| {
            if reader.open.is_empty() { unsupported(text) } else { malformed(&error, events.error_position()) }
        })?;
        let offset = events.buffer_position();
        match event {
            Event::Start(tag) => {
                reader.start(&tag, text, limits).map_err(|error| error.at_offset(offset))?;
            }
            Event::Empty(tag) => {
                reader.start(&tag, text, limits).map_err(|error| error.at_offset(offset))?;
                reader.end();
            }
            Event::End(_) => reader.end(),
            Event::Text(text) => reader.text(&text),
            Event::CData(text) => reader.text(&text),
            Event::GeneralRef(name) => reader.text(&entity::resolve(&name)),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => {}
            Event::Eof if reader.open.is_empty() => return Err(unsupported(text)),
            Event::Eof => {
                let detail = format!("the answer ends with {} elements open", reader.open.len());
                return Err(Error::new(Stage::Xml, Reason::Truncated, detail).at_offset(offset));
            }
        }
        if reader.is_done {
            return Ok(());
        }
    }
}

#[cold]
fn unsupported(text: &str) -> Error {
    let excerpt: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(EXCERPT).collect();
    let detail = format!("no PubmedArticleSet but `{excerpt}`");
    Error::new(Stage::Xml, Reason::UnsupportedFormat, detail)
}

/// The elements that mean something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    Set,
    /// `PubmedArticle` or `PubmedBookArticle`.
    Record,
    /// `MedlineCitation` or `BookDocument`: what has the record's own PMID.
    Document,
    /// `DeleteCitation` or `DeleteDocument`.
    Delete,
    Pmid,
    Abstract,
    AbstractText,
    MeshHeading,
    Descriptor,
    Qualifier,
    Reference,
    Citation,
    ArticleIdList,
    ArticleId,
    Other,
}

impl Tag {
    fn of(name: &str) -> Self {
        match name {
            "PubmedArticleSet" => Self::Set,
            "PubmedArticle" | "PubmedBookArticle" => Self::Record,
            "MedlineCitation" | "BookDocument" => Self::Document,
            "DeleteCitation" | "DeleteDocument" => Self::Delete,
            "PMID" => Self::Pmid,
            "Abstract" => Self::Abstract,
            "AbstractText" => Self::AbstractText,
            "MeshHeading" => Self::MeshHeading,
            "DescriptorName" => Self::Descriptor,
            "QualifierName" => Self::Qualifier,
            "Reference" => Self::Reference,
            "Citation" => Self::Citation,
            "ArticleIdList" => Self::ArticleIdList,
            "ArticleId" => Self::ArticleId,
            _ => Self::Other,
        }
    }
}

/// What becomes of the text that is collected.
#[derive(Debug)]
enum Field {
    Pmid,
    Deleted,
    /// A part of the abstract under its label.
    Abstract(Option<String>),
    Descriptor {
        is_major: bool,
    },
    Qualifier {
        is_major: bool,
    },
    Citation,
    /// An identifier of a reference of this type.
    ArticleId(Option<String>),
}

#[derive(Debug, Default)]
struct Reader {
    open: Vec<Tag>,
    /// The text that is collected, and the number of elements around the one that began it.
    collected: Option<(usize, Field, Text)>,
    citation: Citation,
    /// The heading's descriptor, starred if it is major, and its qualifiers.
    heading: (String, Vec<String>),
    citations: Vec<Citation>,
    is_done: bool,
}

impl Reader {
    fn start(&mut self, tag: &BytesStart<'_>, document: &str, limits: &Limits) -> Result<()> {
        let name = Tag::of(tag.name().0);
        if self.open.is_empty() && name != Tag::Set {
            return Err(unsupported(document));
        }
        if self.open.len() >= limits.xml_depth {
            let detail = format!("elements nested deeper than {}", limits.xml_depth);
            return Err(Error::new(Stage::Xml, Reason::TooDeep, detail));
        }
        match name {
            Tag::Record => self.citation = Citation::default(),
            Tag::MeshHeading => self.heading = Default::default(),
            Tag::Reference => self.citation.references.push(Reference::default()),
            _ => {}
        }
        if self.collected.is_none()
            && let Some(field) = self.field(name, tag)?
        {
            self.collected = Some((self.open.len(), field, Text::default()));
        }
        self.open.push(name);
        Ok(())
    }

    /// What the text of an element that begins now is, by the elements around it.
    fn field(&self, name: Tag, tag: &BytesStart<'_>) -> Result<Option<Field>> {
        let around = |outward: usize| self.open.iter().nth_back(outward).copied();
        let is_major = || Ok::<_, Error>(attribute(tag, "MajorTopicYN")?.as_deref() == Some("Y"));
        Ok(match (around(0), name) {
            (Some(Tag::Document), Tag::Pmid) => Some(Field::Pmid),
            (Some(Tag::Delete), Tag::Pmid) => Some(Field::Deleted),
            (Some(Tag::Abstract), Tag::AbstractText) => Some(Field::Abstract(attribute(tag, "Label")?)),
            (Some(Tag::MeshHeading), Tag::Descriptor) => Some(Field::Descriptor { is_major: is_major()? }),
            (Some(Tag::MeshHeading), Tag::Qualifier) => Some(Field::Qualifier { is_major: is_major()? }),
            (Some(Tag::Reference), Tag::Citation) => Some(Field::Citation),
            (Some(Tag::ArticleIdList), Tag::ArticleId) if around(1) == Some(Tag::Reference) => {
                Some(Field::ArticleId(attribute(tag, "IdType")?))
            }
            _ => None,
        })
    }

    fn text(&mut self, text: &str) {
        if let Some((_, _, collected)) = &mut self.collected {
            collected.push(text);
        }
    }

    fn end(&mut self) {
        let Some(tag) = self.open.pop() else { return };
        if let Some((_, field, text)) = self.collected.take_if(|(depth, ..)| *depth == self.open.len()) {
            self.take(field, text.into_string());
        }
        match tag {
            Tag::Record => {
                let citation = std::mem::take(&mut self.citation);
                self.citations.extend(Some(citation).filter(|citation| !citation.pmid.is_empty()));
            }
            Tag::MeshHeading => {
                let (descriptor, qualifiers) = std::mem::take(&mut self.heading);
                let terms = &mut self.citation.mesh_terms;
                if !descriptor.is_empty() && qualifiers.is_empty() {
                    terms.push(descriptor);
                } else if !descriptor.is_empty() {
                    terms.extend(qualifiers.into_iter().map(|qualifier| format!("{descriptor}/{qualifier}")));
                }
            }
            Tag::Reference => {
                self.citation.references.pop_if(|reference| *reference == Reference::default());
            }
            Tag::Set => self.is_done = self.open.is_empty(),
            _ => {}
        }
    }

    fn take(&mut self, field: Field, mut text: String) {
        if text.is_empty() {
            return;
        }
        match field {
            Field::Pmid if self.citation.pmid.is_empty() => self.citation.pmid = text,
            Field::Pmid => {}
            Field::Deleted => {
                self.citations.push(Citation { pmid: text, status: Status::Deleted, ..Citation::default() });
            }
            Field::Abstract(label) => {
                let whole = self.citation.abstract_text.get_or_insert_default();
                if !whole.is_empty() {
                    whole.push(' ');
                }
                if let Some(label) = label {
                    whole.push_str(&label);
                    whole.push_str(": ");
                }
                whole.push_str(&text);
            }
            Field::Descriptor { is_major } => {
                text.extend(is_major.then_some('*'));
                self.heading.0 = text;
            }
            Field::Qualifier { is_major } => {
                text.extend(is_major.then_some('*'));
                self.heading.1.push(text);
            }
            Field::Citation => {
                if let Some(reference) = self.citation.references.last_mut() {
                    reference.citation = text;
                }
            }
            Field::ArticleId(kind) => {
                let Some(reference) = self.citation.references.last_mut() else { return };
                match kind.as_deref() {
                    Some("pubmed") => reference.pmid = Some(text),
                    Some("doi") => reference.doi = Some(text),
                    _ => {}
                }
            }
        }
    }
}

/// The value of an attribute with its white space collapsed; none when it is absent or empty.
fn attribute(tag: &BytesStart<'_>, name: &str) -> Result<Option<String>> {
    for attribute in tag.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| Error::new(Stage::Xml, Reason::Malformed, error.to_string()))?;
        if attribute.key.0 == name {
            let mut value = Text::default();
            value.push(&entity::unescape(&attribute.value, |name| Ok(entity::resolve(name)))?);
            return Ok(Some(value.into_string()).filter(|value| !value.is_empty()));
        }
    }
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
