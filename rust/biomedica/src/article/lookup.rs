//! Which file of a package is a figure's image.

use std::collections::HashMap;

use crate::image::extension;
use crate::jats;
use crate::package::File;

/// The files of one article, by every name that an href may give them.
pub struct Lookup<'f> {
    files: &'f [File],
    exact: HashMap<&'f str, usize>,
    /// By stem: as written, and in lower case.
    stems: HashMap<&'f str, Vec<usize>>,
    folded: HashMap<String, Vec<usize>>,
    folded_stems: HashMap<String, Vec<usize>>,
}

impl<'f> Lookup<'f> {
    /// Indexes the files; of several with one name the first counts.
    pub fn new(files: &'f [File]) -> Self {
        let mut lookup = Self {
            files,
            exact: HashMap::with_capacity(files.len()),
            stems: HashMap::with_capacity(files.len()),
            folded: HashMap::new(),
            folded_stems: HashMap::new(),
        };
        for (index, file) in files.iter().enumerate() {
            let name = file.base_name();
            lookup.exact.entry(name).or_insert(index);
            lookup.folded.entry(name.to_lowercase()).or_default().push(index);
            if let (stem, Some(_)) = extension::split(name) {
                lookup.stems.entry(stem).or_default().push(index);
                lookup.folded_stems.entry(stem.to_lowercase()).or_default().push(index);
            }
        }
        lookup
    }

    /// Index of the file that an href names: by its exact name, else with a known extension added, else by its stem
    /// with another extension, else by any of these in another case.
    ///
    /// A `.gif` beside a `.jpg` is a thumbnail, so the href of the one gives the other.
    pub fn find(&self, href: &str) -> Option<usize> {
        let name = jats::last_segment(href);
        let (stem, extension) = extension::split(&name);
        let is_gif = extension.is_some_and(|extension| extension.eq_ignore_ascii_case("gif"));
        let full_size = || {
            let best = self.best(self.stems.get(stem)).filter(|_| is_gif)?;
            (self.rank(best) == 0).then_some(best)
        };
        let exact = || self.exact.get(name.as_str()).copied();
        let extended = || self.best(self.stems.get(name.as_str()));
        let other = || self.best(self.stems.get(stem).filter(|_| extension.is_some()));
        let folded = || {
            let name = name.to_lowercase();
            let stem = extension::split(&name).0;
            let exact = self.folded.get(&name).and_then(|found| found.first().copied());
            let extended = || self.best(self.folded_stems.get(&name));
            let other = || self.best(self.folded_stems.get(stem).filter(|_| extension.is_some()));
            exact.or_else(extended).or_else(other)
        };
        full_size().or_else(exact).or_else(extended).or_else(other).or_else(folded)
    }

    /// The preferred format of several files with one stem.
    fn best(&self, found: Option<&Vec<usize>>) -> Option<usize> {
        found?.iter().copied().min_by_key(|index| self.rank(*index))
    }

    fn rank(&self, index: usize) -> u8 {
        let name = self.files.get(index).map_or("", File::base_name);
        extension::split(name).1.map_or(u8::MAX, extension::rank)
    }
}
