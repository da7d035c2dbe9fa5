//! What an extraction can be told, and how a dataset remembers it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::article::Rules;
use crate::error::{Error, Reason, Result, Stage};
use crate::image::hex;
use crate::limits::Limits;

/// The version of the layout and of the meaning of its files. It is part of the digest: a dataset that another version
/// began is not continued by this one.
pub const FORMAT: u32 = 2;

/// What an extraction can be told. All but `threads` change the bytes of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Packages in a part.
    pub part_size: usize,
    /// Samples in a shard at most.
    pub samples_per_shard: usize,
    /// What makes a pair.
    #[serde(flatten)]
    pub rules: Rules,
    /// Put `article_text` into the JSON of every sample.
    pub article_text: bool,
    /// What input may cost.
    #[serde(flatten)]
    pub limits: Limits,
    /// Threads that read packages; none for as many as there are cores.
    #[serde(skip)]
    pub threads: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            part_size: 4096,
            samples_per_shard: 10_000,
            rules: Rules::of_size(21),
            article_text: false,
            limits: Limits::default(),
            threads: None,
        }
    }
}

impl Options {
    /// Fails when a number makes no sense.
    pub fn check(&self) -> Result<()> {
        let bounds = [
            ("part_size", self.part_size, 1_000_000),
            ("samples_per_shard", self.samples_per_shard, 10_000_000),
            ("threads", self.threads.unwrap_or(1), 4096),
        ];
        for (name, value, most) in bounds {
            if !(1..=most).contains(&value) {
                return Err(Error::new(
                    Stage::Write,
                    Reason::Mismatch,
                    format!("{name} is {value}, but must be between 1 and {most}"),
                ));
            }
        }
        Ok(())
    }

    /// The options that change bytes, as `dataset.json` has them.
    pub fn to_json(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        }
    }

    /// The options that a dataset remembers.
    pub fn from_json(options: &Map<String, Value>) -> Result<Self> {
        serde_json::from_value(Value::Object(options.clone())).map_err(|error| {
            Error::new(Stage::Open, Reason::Corrupt, format!("the options of the dataset cannot be read: {error}"))
        })
    }

    /// SHA-256 over format and options, in hex.
    pub fn digest(&self) -> String {
        let text = Value::Object(self.to_json()).to_string();
        hex(&Sha256::digest(format!("biomedica {FORMAT} {text}")).into())
    }

    /// The options that differ from `theirs`, as `name is 1 there, 2 here`.
    pub fn differences(&self, theirs: &Map<String, Value>) -> Vec<String> {
        let ours = self.to_json();
        let mut names: Vec<&String> = ours.keys().chain(theirs.keys().filter(|k| !ours.contains_key(*k))).collect();
        names.retain(|name| ours.get(*name) != theirs.get(*name));
        let show = |value: Option<&Value>| value.map_or_else(|| "not set".to_owned(), Value::to_string);
        names
            .iter()
            .map(|name| format!("{name} is {} there, {} here", show(theirs.get(*name)), show(ours.get(*name))))
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jats::Subset;

    #[test]
    fn a_dataset_remembers_its_options() {
        let options = Options { rules: Rules::of_size(64), article_text: true, ..Options::default() };
        assert_eq!(Options::from_json(&options.to_json()).unwrap(), options);
    }

    #[test]
    fn threads_do_not_change_the_digest_but_the_rest_does() {
        let base = Options::default();
        assert_eq!(Options { threads: Some(7), ..base.clone() }.digest(), base.digest());
        let limits = Limits { xml_depth: 7, ..Limits::default() };
        let changed = [
            Options { part_size: 1, ..base.clone() },
            Options { samples_per_shard: 1, ..base.clone() },
            Options { rules: Rules::of_size(1), ..base.clone() },
            Options { rules: Rules { keep_retracted: true, ..base.rules.clone() }, ..base.clone() },
            Options { rules: Rules { subsets: vec![Subset::Other], ..base.rules.clone() }, ..base.clone() },
            Options { article_text: true, ..base.clone() },
            Options { limits, ..base.clone() },
        ];
        for options in changed {
            assert_ne!(options.digest(), base.digest(), "{options:?}");
        }
    }

    #[test]
    fn differences_name_both_values() {
        let mut theirs = Options::default().to_json();
        theirs.insert("min_size".into(), json!(64));
        theirs.insert("new".into(), json!(true));
        let found = Options::default().differences(&theirs);
        assert_eq!(found, ["min_size is 64 there, 21 here", "new is true there, not set here"]);
    }

    #[test]
    fn numbers_without_sense_are_refused() {
        for options in [
            Options { part_size: 0, ..Options::default() },
            Options { samples_per_shard: 0, ..Options::default() },
            Options { threads: Some(0), ..Options::default() },
        ] {
            assert!(options.check().is_err(), "{options:?}");
        }
        Options::default().check().unwrap();
    }
}
