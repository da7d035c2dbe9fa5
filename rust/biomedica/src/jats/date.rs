//! The article's date: which of its `pub-date` elements counts, as ISO 8601 text with the precision given.

/// One `pub-date` element, as written. A season is no part of any date, so it has no field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PubDate {
    /// The `pub-type` attribute (until JATS 1.0; still the common one).
    pub pub_type: Option<String>,
    /// The `date-type` attribute.
    pub date_type: Option<String>,
    /// The `publication-format` attribute.
    pub publication_format: Option<String>,
    /// The `iso-8601-date` attribute.
    pub iso: Option<String>,
    /// Text of `year`.
    pub year: Option<String>,
    /// Text of `month`.
    pub month: Option<String>,
    /// Text of `day`.
    pub day: Option<String>,
}

/// How well a date stands for the article, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    // Two electronic ranks: HighWire writes a bare year as `epub-original` with an electronic format, and the full
    // date as `epub`.
    Epub,
    ElectronicFormat,
    Print,
    Collection,
    PmcRelease,
    Other,
}

/// The date of the article among its `pub-date` elements in document order; one without a valid year is no candidate.
pub fn choose(dates: &[PubDate]) -> Option<String> {
    // min_by_key gives the first of equals, which is the first in the document.
    dates
        .iter()
        .filter_map(|date| Some((date.rank(), date.text()?)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, text)| text)
}

impl PubDate {
    fn rank(&self) -> Rank {
        let (pub_type, date_type) = (word(self.pub_type.as_ref()), word(self.date_type.as_ref()));
        let format = word(self.publication_format.as_ref());
        if date_type.eq_ignore_ascii_case("collection") {
            return Rank::Collection;
        }
        for kind in [pub_type, date_type] {
            match kind.to_ascii_lowercase().as_str() {
                "epub" | "epub-ppub" => return Rank::Epub,
                "ppub" => return Rank::Print,
                "collection" => return Rank::Collection,
                "pmc-release" => return Rank::PmcRelease,
                _ => {}
            }
        }
        if format.eq_ignore_ascii_case("electronic")
            && ["", "pub", "publication"].iter().any(|t| date_type.eq_ignore_ascii_case(t))
        {
            Rank::ElectronicFormat
        } else if format.eq_ignore_ascii_case("print") {
            Rank::Print
        } else {
            Rank::Other
        }
    }

    fn text(&self) -> Option<String> {
        match word(self.year.as_ref()) {
            "" => {
                // A time of day may follow.
                let iso = word(self.iso.as_ref()).split(['T', 't', ' ']).next()?;
                let mut parts = iso.split('-');
                compose(parts.next()?, parts.next().unwrap_or(""), parts.next().unwrap_or(""))
            }
            year => compose(year, word(self.month.as_ref()), word(self.day.as_ref())),
        }
    }
}

fn word(part: Option<&String>) -> &str {
    part.map_or("", String::as_str).trim()
}

/// The date of its parts, ended before the first that is absent or impossible.
fn compose(year: &str, month: &str, day: &str) -> Option<String> {
    let year_number = number(year).filter(|&number| year.len() == 4 && number > 0)?;
    let Some(month) = month_number(month) else { return Some(year.to_owned()) };
    match number(day).filter(|&day| (1..=days(year_number, month)).contains(&day)) {
        Some(day) => Some(format!("{year}-{month:02}-{day:02}")),
        None => Some(format!("{year}-{month:02}")),
    }
}

fn number(text: &str) -> Option<u32> {
    let plain = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// 1 to 12 from a number or an English name, in full or abbreviated to three letters or more.
fn month_number(text: &str) -> Option<u32> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    if let Some(number) = number(text) {
        return (1..=12).contains(&number).then_some(number);
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let stands_for = |full: &str| full.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    if name.len() < 3 {
        return None;
    }
    (1..).zip(NAMES).find(|(_, full)| stands_for(full)).map(|(number, _)| number)
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> Option<String> {
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A date of a `pub-type`, its parts written `year month day`.
    fn of(pub_type: &str, parts: &str) -> PubDate {
        let mut parts = parts.split(' ').map(text).chain([None, None, None]);
        let mut next = || parts.next().flatten();
        PubDate { pub_type: text(pub_type), year: next(), month: next(), day: next(), ..PubDate::default() }
    }

    fn format(publication_format: &str, date_type: &str, parts: &str) -> PubDate {
        let (date_type, publication_format) = (text(date_type), text(publication_format));
        PubDate { date_type, publication_format, ..of("", parts) }
    }

    fn one(parts: &str) -> Option<String> {
        choose(&[of("epub", parts)])
    }

    #[test]
    fn electronic_beats_print_beats_collection_beats_release_beats_the_rest() {
        let mut dates = vec![
            of("cover", "2001"),
            of("pmc-release", "2002"),
            of("collection", "2003"),
            of("ppub", "2004"),
            of("epub", "2005 1 3"),
        ];
        for expected in ["2005-01-03", "2004", "2003", "2002", "2001"] {
            assert_eq!(choose(&dates).as_deref(), Some(expected));
            dates.pop();
        }
        assert_eq!(choose(&dates), None);
    }

    #[test]
    fn format_electronic_counts_with_date_type_pub_publication_or_none() {
        for date_type in ["pub", "publication", ""] {
            let dates = [of("ppub", "2004"), format("electronic", date_type, "2005")];
            assert_eq!(choose(&dates).as_deref(), Some("2005"), "{date_type}");
        }
        let dates = [of("collection", "2004"), format("electronic", "corrected", "2005")];
        assert_eq!(choose(&dates).as_deref(), Some("2004"));
    }

    #[test]
    fn format_print_is_print() {
        let dates = [of("collection", "2004"), format("print", "", "2005")];
        assert_eq!(choose(&dates).as_deref(), Some("2005"));
    }

    #[test]
    fn date_type_collection_beats_its_format() {
        let dates = [format("electronic", "collection", "2004"), format("print", "pub", "2005")];
        assert_eq!(choose(&dates).as_deref(), Some("2005"));
        let pub_type = PubDate { publication_format: text("electronic"), ..of("collection", "2004") };
        assert_eq!(choose(&[pub_type, of("ppub", "2005")]).as_deref(), Some("2005"));
    }

    #[test]
    fn an_epub_date_beats_another_of_electronic_format() {
        // bioRxiv by HighWire: the year of the first version comes first.
        let original = PubDate { pub_type: text("epub-original"), ..format("electronic", "pub", "2022") };
        assert_eq!(choose(&[original, of("epub", "2021 12 09")]).as_deref(), Some("2021-12-09"));
    }

    #[test]
    fn of_equals_the_first_counts() {
        assert_eq!(choose(&[of("epub", "2005"), of("epub", "2006")]).as_deref(), Some("2005"));
        assert_eq!(choose(&[of("", ""), of("cover", "2001"), of("", "2002")]).as_deref(), Some("2001"));
    }

    #[test]
    fn a_date_without_a_valid_year_is_no_candidate() {
        for year in ["", "05", "20055", "c2005", "2005-06", "0000", "２００５"] {
            assert_eq!(choose(&[of("epub", year), of("ppub", "2004")]).as_deref(), Some("2004"), "{year}");
        }
    }

    #[test]
    fn month_names_become_numbers() {
        for (name, month) in [("January", 1), ("feb", 2), ("MAR.", 3), ("Sept", 9), ("dec.", 12), (" 5 ", 5), ("07", 7)]
        {
            let date = PubDate { month: text(name), ..of("epub", " ") };
            let date = PubDate { year: text("\n2005 "), ..date };
            assert_eq!(choose(&[date]), Some(format!("2005-{month:02}")), "{name}");
        }
    }

    #[test]
    fn an_impossible_part_ends_the_date() {
        for (parts, expected) in [
            ("2005 13 1", "2005"),
            ("2005 0 1", "2005"),
            ("2005 Spring 1", "2005"),
            ("2005 Ma 1", "2005"),
            ("2005 Jan-Feb 1", "2005"),
            ("2005 2 30", "2005-02"),
            ("2005 2 29", "2005-02"),
            ("2004 2 29", "2004-02-29"),
            ("1900 2 29", "1900-02"),
            ("2000 2 29", "2000-02-29"),
            ("2005 4 31", "2005-04"),
            ("2005 4 0", "2005-04"),
            ("2005 4 3rd", "2005-04"),
            ("2005  3", "2005"),
        ] {
            assert_eq!(one(parts).as_deref(), Some(expected), "{parts}");
        }
    }

    #[test]
    fn the_iso_attribute_stands_in_for_a_missing_year() {
        let iso = |iso: &str| choose(&[PubDate { iso: text(iso), ..of("epub", " 7") }]);
        assert_eq!(iso("2026-05-30").as_deref(), Some("2026-05-30"));
        assert_eq!(iso("2026-05").as_deref(), Some("2026-05"));
        assert_eq!(iso("2026-05-30T12:00:00Z").as_deref(), Some("2026-05-30"));
        assert_eq!(iso("2026-02-30").as_deref(), Some("2026-02"));
        assert_eq!(iso("soon"), None);
        let both = PubDate { iso: text("2026-05-30"), ..of("epub", "2025") };
        assert_eq!(choose(&[both]).as_deref(), Some("2025"));
    }

    proptest! {
        #[test]
        fn any_parts_give_a_date_or_none(year in ".{0,6}", month in ".{0,12}", day in "[0-9]{0,3}|.{0,4}", iso in ".{0,12}") {
            let date = PubDate { year: text(&year), month: text(&month), day: text(&day), iso: text(&iso), ..PubDate::default() };
            if let Some(date) = choose(&[date]) {
                prop_assert!(matches!(date.len(), 4 | 7 | 10), "{}", date);
            }
        }
    }
}
