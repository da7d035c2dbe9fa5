//! The floats of a document: the elements that figures are made of, and the figures they make.

use std::collections::HashMap;

use super::article::{CaptionSource, Figure, FigureKind};
use super::markup::Markup;
use super::mention::Mentions;
use super::panel;
use super::tag::Tag;
use crate::error::{Error, Reason, Result, Stage};
use crate::image::extension;

/// Stands for "no node" where a node's number is expected.
pub const NONE: u32 = u32::MAX;

/// Groups around one figure beyond this many are left aside: no document nests them so, an attack may.
const MAX_GROUPS: usize = 16;

/// An element that can have a caption, a label or an id that matters for figures.
#[derive(Debug)]
pub struct Node {
    /// Its name.
    pub tag: Tag,
    /// The node around it, or [`NONE`].
    pub parent: u32,
    /// The sub-article it belongs to; 0 is the article itself.
    pub scope: u32,
    /// Its `id`.
    pub id: Option<String>,
    /// Text of its `label`.
    pub label: Option<String>,
    /// Text of its `caption`.
    pub caption: Option<String>,
    /// Markup of that caption.
    pub markup: Markup,
    /// Its attributes say that it stands for the article.
    pub is_graphical: bool,
}

/// One graphic that counts.
#[derive(Debug)]
pub struct Graphic {
    /// Its own node.
    pub node: u32,
    /// Where its image is.
    pub href: Option<String>,
    /// It is a small version of another.
    pub is_thumbnail: bool,
    /// The `alternatives` it stands in, or [`NONE`].
    pub alternatives: u32,
}

/// All floats, in document order.
#[derive(Debug, Default)]
pub struct Floats {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The graphics.
    pub graphics: Vec<Graphic>,
}

/// The graphics that are one figure, and what is around them.
#[derive(Debug)]
pub(super) struct Cluster {
    /// Indices into the graphics, in document order.
    graphics: Vec<usize>,
    /// The figure's element, or [`NONE`].
    pub element: u32,
    /// Groups around it, the nearest first.
    pub groups: Vec<u32>,
    /// Nodes of its graphics.
    pub nodes: Vec<u32>,
}

impl Floats {
    /// The node of this number; none for [`NONE`].
    pub fn node(&self, node: u32) -> Option<&Node> {
        self.nodes.get(node as usize)
    }

    /// The nodes around `node`, the nearest first.
    pub fn ancestors(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let parent = |node: u32| self.node(node).map(|node| node.parent).filter(|parent| *parent != NONE);
        std::iter::successors(parent(node), move |node| parent(*node))
    }

    /// The figures that the graphics make, with the paragraphs that mention them.
    ///
    /// # Errors
    /// When captions and mentions together hold more than `max_bytes`.
    pub fn figures(&self, mentions: &Mentions, max_bytes: u64) -> Result<Vec<Figure>> {
        let clusters = self.clusters();
        let contexts = mentions.resolve(self, &clusters, max_bytes)?;
        let mut budget = max_bytes;
        let mut figures = Vec::with_capacity(clusters.len());
        for (cluster, mentions) in clusters.iter().zip(contexts) {
            let mut figure = self.figure(cluster);
            figure.context_panels = mentions.iter().map(|one| one.panels.labels(&figure.panels)).collect();
            figure.context = mentions.into_iter().map(|one| one.text).collect();
            let captions = [&figure.caption, &figure.group_caption, &figure.label];
            let panels = figure.panels.iter().flat_map(|panel| [&panel.label, &panel.text]);
            let cost: usize = captions.into_iter().flatten().chain(panels).map(String::len).sum();
            budget = budget.checked_sub(cost as u64).ok_or_else(|| {
                Error::new(Stage::Figure, Reason::TooLarge, format!("captions of more than {max_bytes} bytes"))
            })?;
            figures.push(figure);
        }
        Ok(figures)
    }

    /// Graphics of one `alternatives`, and of one element with the same stem and another image extension, are one.
    fn clusters(&self) -> Vec<Cluster> {
        let mut clusters: Vec<Cluster> = Vec::with_capacity(self.graphics.len());
        let mut by_alternatives: HashMap<u32, usize> = HashMap::new();
        let mut by_stem: HashMap<(u32, String, String), usize> = HashMap::new();
        let mut newest: HashMap<(u32, String), usize> = HashMap::new();
        for (index, graphic) in self.graphics.iter().enumerate() {
            let is_element = |node: &u32| self.node(*node).is_some_and(|node| node.tag.is_figure_element());
            let element = self.ancestors(graphic.node).find(is_element).unwrap_or(NONE);
            let name = graphic.href.as_deref().map(last_segment);
            let split = name.as_deref().map(extension::split);
            let stem = split.and_then(|(stem, extension)| Some((stem, extension?.to_ascii_lowercase())));
            let twin = stem.as_ref().filter(|_| element != NONE).and_then(|(stem, extension)| {
                let cluster = *newest.get(&(element, (*stem).to_owned()))?;
                let known = by_stem.get(&(element, (*stem).to_owned(), extension.clone()));
                (known != Some(&cluster)).then_some(cluster)
            });
            let known = by_alternatives.get(&graphic.alternatives).copied().or(twin);
            let cluster = known.unwrap_or_else(|| {
                let is_group = |node: &u32| self.node(*node).is_some_and(|node| node.tag.is_group());
                let groups = self.ancestors(graphic.node).filter(is_group).take(MAX_GROUPS).collect();
                clusters.push(Cluster { graphics: Vec::new(), element, groups, nodes: Vec::new() });
                clusters.len() - 1
            });
            if graphic.alternatives != NONE {
                by_alternatives.entry(graphic.alternatives).or_insert(cluster);
            }
            if let Some((stem, extension)) = stem {
                newest.insert((element, stem.to_owned()), cluster);
                by_stem.insert((element, stem.to_owned(), extension), cluster);
            }
            if let Some(cluster) = clusters.get_mut(cluster) {
                cluster.graphics.push(index);
                cluster.nodes.push(graphic.node);
            }
        }
        clusters
    }

    fn figure(&self, cluster: &Cluster) -> Figure {
        let graphics = self.preferred(cluster);
        // The graphic that is taken, then the others as they stand.
        let own_nodes = || {
            let first = graphics.first().map(|graphic| graphic.node);
            first.into_iter().chain(cluster.nodes.iter().copied()).filter_map(|node| self.node(node))
        };
        let element = self.node(cluster.element);
        let groups = || cluster.groups.iter().filter_map(|group| self.node(*group));
        let outer = || self.ancestors(graphics.first().map_or(NONE, |first| first.node)).filter_map(|n| self.node(n));

        let nearest = || own_nodes().chain(element).chain(groups());
        let label = nearest().find_map(|node| node.label.clone());
        let id = element.into_iter().chain(own_nodes()).chain(groups()).find_map(|node| node.id.clone());
        let is_captioned = |node: &&Node| node.caption.is_some();
        let group = groups().find(is_captioned);
        let own = own_nodes().chain(element.filter(|node| !node.tag.is_group())).find(is_captioned);
        let is_graphical = own_nodes().chain(element).any(|node| node.is_graphical)
            || outer().any(|node| node.tag == Tag::Abstract && node.is_graphical);
        // The text of an abstract is the caption of a graphical abstract alone.
        let lends = |node: &&Node| node.tag != Tag::Abstract || is_graphical;
        let (captioned, caption_source) = if own.is_some() {
            (own, CaptionSource::Own)
        } else if group.is_some() {
            (group, CaptionSource::Group)
        } else if let Some(parent) = outer().filter(lends).find(is_captioned) {
            (Some(parent), CaptionSource::Parent)
        } else if label.is_some() {
            (None, CaptionSource::Label)
        } else {
            (None, CaptionSource::None)
        };
        let caption = captioned.and_then(|node| node.caption.clone());
        let panels = captioned.zip(caption.as_deref()).map(|(node, caption)| panel::split(caption, &node.markup));

        Figure {
            hrefs: graphics.iter().filter_map(|graphic| graphic.href.clone()).collect(),
            id,
            kind: if is_graphical { FigureKind::GraphicalAbstract } else { kind(element.map(|node| node.tag)) },
            caption: caption.or_else(|| label.clone()),
            label,
            caption_source,
            group_caption: group.and_then(|node| node.caption.clone()),
            panels: panels.unwrap_or_default(),
            context: Vec::new(),
            context_panels: Vec::new(),
            in_sub_article: own_nodes().any(|node| node.scope != 0),
        }
    }

    /// The graphics of a figure, the one to take first: full size before thumbnails, then by format, then by order.
    fn preferred(&self, cluster: &Cluster) -> Vec<&Graphic> {
        let mut graphics: Vec<&Graphic> = cluster.graphics.iter().filter_map(|g| self.graphics.get(*g)).collect();
        graphics.sort_by_key(|graphic| {
            let name = graphic.href.as_deref().map(last_segment);
            let rank = name.as_deref().map(|name| extension::split(name).1.map_or(4, extension::rank));
            (graphic.is_thumbnail, rank.unwrap_or(u8::MAX))
        });
        graphics
    }
}

fn kind(element: Option<Tag>) -> FigureKind {
    match element {
        Some(Tag::Fig | Tag::FigGroup) => FigureKind::Fig,
        Some(Tag::TableWrap | Tag::TableWrapGroup) => FigureKind::Table,
        Some(Tag::ChemStructWrap) => FigureKind::Chem,
        Some(Tag::BoxedText) => FigureKind::Box,
        _ => FigureKind::Other,
    }
}

/// The file name that an href ends in, percent-decoded.
pub fn last_segment(href: &str) -> String {
    let path = href.split(['?', '#']).next().unwrap_or_default();
    let segment = path.trim_end_matches('/').rsplit(['/', '\\']).next().unwrap_or_default();
    percent_decode(segment)
}

fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let hex = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        if let Some(byte) = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| first == b'%') {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Whether an attribute marks a thumbnail: `thumb`, or a size such as `200x150` of at most 400 a side.
pub fn marks_thumbnail(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    value.contains("thumb")
        || value.match_indices('x').any(|(at, _)| {
            let digits = |byte: &u8| byte.is_ascii_digit();
            let before = value.as_bytes()[..at].iter().rev().take_while(|byte| digits(byte)).count();
            let after = value.as_bytes()[at + 1..].iter().take_while(|byte| digits(byte)).count();
            let side = |range: std::ops::Range<usize>| value.get(range).and_then(|side| side.parse::<u32>().ok());
            let sides = [side(at - before..at), side(at + 1..at + 1 + after)];
            sides.into_iter().all(|side| side.is_some_and(|side| (1..=400).contains(&side)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_the_last_segment_decoded() {
        assert_eq!(last_segment("a/b%20c.jpg"), "b c.jpg");
        assert_eq!(last_segment("100%.jpg"), "100%.jpg");
        assert_eq!(last_segment("%c3%a9%2"), "é%2");
        assert_eq!(last_segment("%ff"), "%ff");
        assert_eq!(last_segment("https://x.org/f1.png?s=1#a"), "f1.png");
    }

    #[test]
    fn thumbnails_are_told_by_word_or_size() {
        for value in ["fig1_thumb.jpg", "Thumbnail", "f1-200x150.png", "400x400"] {
            assert!(marks_thumbnail(value), "{value}");
        }
        for value in ["fig1.jpg", "1200x800", "401x300", "x", "axb", "0x0", "99999999999x1"] {
            assert!(!marks_thumbnail(value), "{value}");
        }
    }
}
