use super::*;

fn labels_and_texts(text: &str) -> Vec<(String, String)> {
    split(text, &Markup::default()).into_iter().map(|panel| (panel.label, panel.text)).collect()
}

fn labels(text: &str) -> String {
    labels_and_texts(text).into_iter().map(|(label, _)| label).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_panel_has_its_own_text_and_what_is_common() {
    let found = labels_and_texts("Growth. (A) Of cells. (B, C) Of mice. Scale bars, 1 cm.");
    let expected = [
        ("A", "Growth. Of cells. Scale bars, 1 cm."),
        ("B", "Growth. Of mice. Scale bars, 1 cm."),
        ("C", "Growth. Of mice. Scale bars, 1 cm."),
    ];
    assert_eq!(found, expected.map(|(label, text)| (label.to_owned(), text.to_owned())));
}

#[test]
fn labels_are_known_in_every_form() {
    for (text, expected) in [
        ("(A) One. (B) Two.", "A B"),
        ("T. a, One. b, Two.", "a b"),
        ("T. A. One. B. Two.", "A B"),
        ("(A) One. (B, C) Two. (D–F) Three.", "A B C D E F"),
        ("T. a) One. b) Two.", "a b"),
        ("T. Left: one. Right: two.", "Left Right"),
        ("Upper panel, one. Lower panel, two.", "Upper panel Lower panel"),
        ("Weights of men (A) and women (B).", "A B"),
        ("Counts in (A) June, (B) July and (C) May.", "A B C"),
        ("T. Panel (A): one. Panels (B) and (C) show two.", "A B C"),
        ("T. A The first. a, one; b, two. B The second. C The third.", "A B C"),
        ("T. A The first. B, C Both others.", "A B C"),
    ] {
        assert_eq!(labels(text), expected, "{text}");
    }
}

#[test]
fn letters_of_words_names_units_and_references_are_no_labels() {
    for text in [
        "T cells and B cells in C. elegans and E. coli.",
        "The (a) group of Fig. 2B and C at 5 C, p (B) < 0.1.",
        "Different letters (a, b) mark groups.",
        "A gene of D. melanogaster.",
        "Divisions. A cell divides. B cells do not.",
        "Maps. A Karnaugh map is shown.",
        "",
    ] {
        assert_eq!(labels(text), "", "{text}");
    }
}

#[test]
fn a_bold_letter_needs_no_punctuation() {
    let text = "A cell by itself. A One thing. B Another thing.";
    let markup = Markup { bold: vec![18..19, 31..32], breaks: vec![18] };
    let panels = split(text, &markup);
    assert_eq!(panels.iter().map(|panel| panel.label.as_str()).collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(panels.last().map(|panel| panel.text.as_str()), Some("A cell by itself. Another thing."));
}
