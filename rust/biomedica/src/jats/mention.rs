//! The paragraphs that mention figures.

use std::collections::HashMap;
use std::ops::Range;

use super::float::{Cluster, Floats, NONE};
use super::panel::{Named, Reference};
use crate::error::{Error, Reason, Result, Stage};

/// Nodes and figures looked at for the mentions of one document; only an attack needs more.
const MAX_STEPS: usize = 1 << 20;

/// Where a paragraph stands.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The nearest node around it, or [`NONE`].
    pub node: u32,
    /// The node whose caption it is part of, or [`NONE`].
    pub caption_of: u32,
    /// Its sub-article.
    pub scope: u32,
    /// Its number by where paragraphs begin.
    pub order: u32,
    /// How many references were open before it.
    pub open_xrefs: usize,
}

/// A paragraph that mentions a figure, and the panels of which it speaks.
#[derive(Debug, Clone)]
pub(super) struct Mention {
    pub text: String,
    pub panels: Named,
}

#[derive(Debug)]
struct Xref {
    /// Its `rid` attribute, in [`Mentions::rids`].
    rids: Range<usize>,
    /// Its text, in its paragraph.
    start: usize,
    end: usize,
}

#[derive(Debug)]
struct Paragraph {
    place: Place,
    text: Range<usize>,
    xrefs: Range<usize>,
}

/// All paragraphs with references, in one arena.
#[derive(Debug, Default)]
pub struct Mentions {
    paragraphs: Vec<Paragraph>,
    /// References of paragraphs that are read whole.
    xrefs: Vec<Xref>,
    /// References of paragraphs that are open, the inner ones last.
    open: Vec<Xref>,
    texts: String,
    rids: String,
    begun: u32,
}

impl Mentions {
    /// The place of a paragraph that begins now.
    pub fn begin(&mut self, node: u32, caption_of: u32, scope: u32) -> Place {
        self.begun += 1;
        Place { node, caption_of, scope, order: self.begun, open_xrefs: self.open.len() }
    }

    /// Begins a reference at `start` of the paragraph's text; returns its number.
    pub fn begin_xref(&mut self, rids: &str, start: usize) -> usize {
        let from = self.rids.len();
        self.rids.push_str(rids);
        self.open.push(Xref { rids: from..self.rids.len(), start, end: start });
        self.open.len() - 1
    }

    /// Ends a reference at `end` of the paragraph's text.
    pub fn end_xref(&mut self, xref: usize, end: usize) {
        if let Some(xref) = self.open.get_mut(xref) {
            xref.end = end;
        }
    }

    /// Takes a paragraph that was read whole.
    pub fn end(&mut self, place: Place, text: &str) {
        let from = self.xrefs.len();
        self.xrefs.extend(self.open.drain(place.open_xrefs.min(self.open.len())..));
        if from < self.xrefs.len() && !text.is_empty() {
            let start = self.texts.len();
            self.texts.push_str(text);
            let paragraph = Paragraph { place, text: start..self.texts.len(), xrefs: from..self.xrefs.len() };
            self.paragraphs.push(paragraph);
        }
    }

    /// The paragraphs that mention each figure, in document order.
    pub(super) fn resolve(&self, floats: &Floats, figures: &[Cluster], max_bytes: u64) -> Result<Vec<Vec<Mention>>> {
        let targets = Targets::new(floats, figures);
        let mut contexts = vec![Vec::new(); figures.len()];
        if targets.by_id.is_empty() {
            return Ok(contexts);
        }
        let mut paragraphs: Vec<&Paragraph> = self.paragraphs.iter().collect();
        paragraphs.sort_by_key(|paragraph| paragraph.place.order);
        let mut budget = max_bytes;
        let mut steps = 0;
        // The paragraph that each figure was found in last, so that each counts once.
        let mut seen = vec![0; figures.len()];
        let mut nodes = Vec::new();
        for paragraph in paragraphs {
            let text = self.texts.get(paragraph.text.clone()).unwrap_or_default();
            nodes.clear();
            self.mentioned_nodes(paragraph, text, &targets, floats, &mut nodes, &mut steps)?;
            for (node, _) in &nodes {
                spend(&mut steps, targets.figures(*node).len())?;
            }
            for (figure, panels) in
                nodes.iter().flat_map(|(node, panels)| targets.figures(*node).iter().zip(std::iter::repeat(*panels)))
            {
                let (Some(cluster), Some(seen)) = (figures.get(*figure), seen.get_mut(*figure)) else { continue };
                let Some(context) = contexts.get_mut(*figure) else { continue };
                if *seen == paragraph.place.order {
                    if let Some(mention) = context.last_mut() {
                        mention.panels = mention.panels.with(panels);
                    }
                    continue;
                }
                if is_own_text(paragraph.place, cluster, floats) {
                    continue;
                }
                *seen = paragraph.place.order;
                budget = budget.checked_sub(text.len() as u64).ok_or_else(|| {
                    Error::new(Stage::Figure, Reason::TooLarge, format!("mentions of more than {max_bytes} bytes"))
                })?;
                context.push(Mention { text: text.to_owned(), panels });
            }
        }
        Ok(contexts)
    }

    /// The nodes that a paragraph mentions, by its references and by the ranges between them, with their panels.
    fn mentioned_nodes(
        &self,
        paragraph: &Paragraph,
        text: &str,
        targets: &Targets<'_>,
        floats: &Floats,
        nodes: &mut Vec<(u32, Named)>,
        steps: &mut usize,
    ) -> Result<()> {
        let scope = paragraph.place.scope;
        let xrefs = self.xrefs.get(paragraph.xrefs.clone()).unwrap_or_default();
        let mut previous = Previous::default();
        for (number, xref) in xrefs.iter().enumerate() {
            let rids = self.rids.get(xref.rids.clone()).unwrap_or_default();
            let mut found = Vec::new();
            for rid in rids.split_ascii_whitespace() {
                targets.nodes(rid, scope, floats, &mut found);
            }
            spend(steps, found.len())?;
            let next = xrefs.get(number + 1).map_or(text.len(), |next| next.start.max(xref.end));
            let reference = match text.get(..next).filter(|_| !found.is_empty()) {
                Some(text) => Reference::new(text, xref.start, xref.end),
                None => Reference::default(),
            };
            let panels = |node: u32| reference.of(floats.node(node).and_then(|node| node.label.as_deref()));
            let found: Vec<_> = found.into_iter().map(|node| (node, panels(node))).collect();
            nodes.extend(&found);
            let is_range = |from: usize| text.get(from..xref.start).is_some_and(means_range);
            let pairs = || previous.found.iter().flat_map(|from| found.iter().map(move |to| (*from, *to)));
            if is_range(previous.end) {
                for ((from, _), (to, _)) in pairs() {
                    spend(steps, to.saturating_sub(from) as usize + 1)?;
                    nodes.extend(spanned(floats, from, to).map(|node| (node, Named::default())));
                }
            }
            if is_range(previous.panels_end) {
                spend(steps, previous.found.len().saturating_mul(found.len()))?;
                let same = pairs().filter(|(from, to)| from.0 == to.0);
                nodes.extend(same.map(|(from, to)| (to.0, from.1.between(to.1))));
            }
            previous = Previous { end: xref.end, panels_end: reference.end, found };
        }
        Ok(())
    }
}

/// The reference before.
#[derive(Default)]
struct Previous {
    /// Where it ends.
    end: usize,
    /// Where the panels end that it names.
    panels_end: usize,
    /// What it mentions.
    found: Vec<(u32, Named)>,
}

/// What stands between two elements of one name and sub-article: the elements of that name and sub-article.
fn spanned(floats: &Floats, from: u32, to: u32) -> impl Iterator<Item = u32> {
    let kind = |node: u32| floats.node(node).map(|node| (node.tag, node.scope));
    let (first, last) = (kind(from), kind(to));
    let between = if first == last { from.saturating_add(1)..to } else { 0..0 };
    between.filter(move |node| kind(*node) == first)
}

fn spend(steps: &mut usize, cost: usize) -> Result<()> {
    *steps = steps.saturating_add(cost);
    if *steps > MAX_STEPS {
        return Err(Error::new(Stage::Figure, Reason::TooLarge, "too many references to figures"));
    }
    Ok(())
}

/// Whether the text between two references makes a range of them.
fn means_range(between: &str) -> bool {
    matches!(
        between.trim(),
        "-" | "\u{2010}"
            | "\u{2011}"
            | "\u{2012}"
            | "\u{2013}"
            | "\u{2014}"
            | "\u{2015}"
            | "\u{2212}"
            | "to"
            | "through"
    )
}

/// Whether a paragraph is part of the figure itself: inside its element or graphic, or in the caption of its groups.
fn is_own_text(place: Place, figure: &Cluster, floats: &Floats) -> bool {
    let around = || std::iter::once(place.node).chain(floats.ancestors(place.node));
    let is_own = |node: u32| node == figure.element || figure.nodes.contains(&node);
    place.node != NONE && (around().any(is_own) || figure.groups.contains(&place.caption_of))
}

/// What can be mentioned.
struct Targets<'a> {
    by_id: HashMap<&'a str, Vec<u32>>,
    figures: HashMap<u32, Vec<usize>>,
}

impl<'a> Targets<'a> {
    fn new(floats: &'a Floats, clusters: &[Cluster]) -> Self {
        let mut by_id: HashMap<&str, Vec<u32>> = HashMap::new();
        for (number, node) in (0..).zip(&floats.nodes) {
            if let Some(id) = node.id.as_deref() {
                by_id.entry(id).or_default().push(number);
            }
        }
        let mut figures: HashMap<u32, Vec<usize>> = HashMap::new();
        for (index, cluster) in clusters.iter().enumerate() {
            let element =
                (cluster.element != NONE && !cluster.groups.contains(&cluster.element)).then_some(cluster.element);
            for node in cluster.nodes.iter().chain(&element).chain(&cluster.groups) {
                figures.entry(*node).or_default().push(index);
            }
        }
        Self { by_id, figures }
    }

    /// Adds the nodes of this id: those in the same sub-article, else all.
    fn nodes(&self, id: &str, scope: u32, floats: &Floats, nodes: &mut Vec<u32>) {
        let Some(all) = self.by_id.get(id) else { return };
        let is_near = |node: &&u32| floats.node(**node).is_some_and(|node| node.scope == scope);
        if all.iter().any(|node| is_near(&node)) {
            nodes.extend(all.iter().filter(is_near));
        } else {
            nodes.extend(all);
        }
    }

    fn figures(&self, node: u32) -> &[usize] {
        self.figures.get(&node).map_or(&[], Vec::as_slice)
    }
}
