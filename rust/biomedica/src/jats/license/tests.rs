//! What counts as evidence for a licence, what does not, and how it is weighed.

use proptest::prelude::*;

use super::*;
use crate::jats::Subset;

fn in_text(text: &str) -> License {
    judge(&Evidence { license_text: text.into(), ..Evidence::default() })
}

fn at(href: &str) -> License {
    judge(&Evidence { hrefs: vec![href.into()], ..Evidence::default() })
}

fn with_ref(url: &str, content_type: &str) -> License {
    let content_type = (!content_type.is_empty()).then(|| content_type.into());
    judge(&Evidence { refs: vec![(url.into(), content_type)], ..Evidence::default() })
}

fn by_code(code: &str) -> License {
    judge(&Evidence { codes: vec![code.into()], ..Evidence::default() })
}

/// Each row is one text and the one licence it names, without conflict.
fn check(judge: fn(&str) -> License, rows: &[(&str, Option<&str>)]) {
    for (text, code) in rows {
        let license = judge(text);
        assert_eq!(license.code, *code, "{text}");
        assert!(!license.conflict, "{text}");
    }
}

#[test]
fn addresses_name_their_licence() {
    check(
        at,
        &[
            ("http://creativecommons.org/licenses/by/4.0/", Some("CC BY")),
            ("https://creativecommons.org/licenses/by-sa/4.0/legalcode", Some("CC BY-SA")),
            ("https://www.creativecommons.org/licenses/by-nd/3.0/us/", Some("CC BY-ND")),
            ("creativecommons.org/licenses/by-nc/2.0/uk", Some("CC BY-NC")),
            ("HTTP://CREATIVECOMMONS.ORG/LICENSES/BY-NC-SA/4.0", Some("CC BY-NC-SA")),
            ("http://creativecommons.org/licenses/by-nc-nd/3.0/igo/", Some("CC BY-NC-ND")),
            ("http://creativecommons.org/licenses/by-nd-nc/1.0", Some("CC BY-NC-ND")),
            ("http://creativecommons.org/licenses/by-nc-nd/4.0/deed.de", Some("CC BY-NC-ND")),
            ("http://creativecommons.org/licenses/by", Some("CC BY")),
            (" https://creativecommons.org/licenses/by-nc/ which permits use ", Some("CC BY-NC")),
            ("http://creativecommons.org/licences/by-nc_nd/4.0/", Some("CC BY-NC-ND")),
            ("https://creativecommons.org/publicdomain/zero/1.0/", Some("CC0")),
            ("http://creativecommons.org/licenses/zero/1.0/", Some("CC0")),
            ("http://creativecommons.org/publicdomain/mark/1.0/", None),
            ("http://creativecommons.org/licenses/publicdomain/", None),
            ("http://creativecommons.org/licenses/nc-sa/1.0/", None),
            ("http://creativecommons.org/", None),
            ("http://creativecommons.org/licenses/sampling+/1.0/", None),
            ("https://notcreativecommons.org/licenses/by/4.0/", None),
            ("https://example.org/license", None),
            ("https://www.elsevier.com/tdm/userlicense/1.0/", Some("TDM")),
            ("https://www.elsevier.com/legal/tdmrep-license", Some("TDM")),
            ("http://doi.wiley.com/10.1002/tdm_license_1.1", Some("TDM")),
            ("http://www.elsevier.com/open-access/userlicense/1.0/", None),
        ],
    );
}

#[test]
fn content_types_of_pmc_name_their_licence() {
    for (content_type, code) in [
        ("cc0license", Some("CC0")),
        ("cczerolicense", Some("CC0")),
        ("ccbylicense", Some("CC BY")),
        ("ccbysalicense", Some("CC BY-SA")),
        ("ccbyndlicense", Some("CC BY-ND")),
        ("ccbynclicense", Some("CC BY-NC")),
        ("ccbyncsalicense", Some("CC BY-NC-SA")),
        ("CCBYNCNDLicense", Some("CC BY-NC-ND")),
        ("ccbyncndigolicense", Some("CC BY-NC-ND")),
        ("cc-by", Some("CC BY")),
        ("tdmlicense", Some("TDM")),
        ("cclicense", None),
        ("textmining", None),
        ("vor", None),
    ] {
        assert_eq!(with_ref("", content_type).code, code, "{content_type}");
    }
    // PMC's usual pair of both.
    let license = with_ref("https://creativecommons.org/licenses/by/4.0/", "ccbylicense");
    assert_eq!((license.code, license.conflict), (Some("CC BY"), false));
}

#[test]
fn codes_of_the_metadata_name_their_licence() {
    check(
        by_code,
        &[
            ("CC0", Some("CC0")),
            ("CC BY", Some("CC BY")),
            ("CC BY-NC-ND", Some("CC BY-NC-ND")),
            ("cc-by-nc-sa-4.0", Some("CC BY-NC-SA")),
            (" TDM", Some("TDM")),
            ("NO-CC CODE", None),
            ("", None),
        ],
    );
}

#[test]
fn names_in_words_are_read_with_any_hyphen_and_space() {
    check(
        in_text,
        &[
            ("terms of the Creative Commons Attribution License, which permits unrestricted use", Some("CC BY")),
            ("the Creative Commons Attribution 4.0 International License", Some("CC BY")),
            ("a Creative Commons Attribution Non-Commercial License", Some("CC BY-NC")),
            ("Creative Commons Attribution Non-Commercial No Derivatives 4.0", Some("CC BY-NC-ND")),
            ("Creative Commons Attribution\u{2011}Non\u{2011}Commercial\u{2011}ShareAlike", Some("CC BY-NC-SA")),
            ("Creative\u{A0}Commons\nAttribution – NonCommercial – NoDerivs", Some("CC BY-NC-ND")),
            ("Creative Commons Attribution-Noncommercial-Share Alike 3.0 Unported", Some("CC BY-NC-SA")),
            ("Creative Commons Attri\u{AD}bution Share-Alike licence", Some("CC BY-SA")),
            ("Creative Commons Attribution-No Derivative Works 3.0", Some("CC BY-ND")),
            ("Creative Commons Attribution, Non-Commercial, No Derivatives licence", Some("CC BY-NC-ND")),
            ("a Creative Commons License (Attribution-NonCommercial-NoDerivs 4.0 International)", Some("CC BY-NC-ND")),
            ("Creative Commons (CC) Attribution licence", Some("CC BY")),
            ("Creative Commons Deed, Attribution 2.5", Some("CC BY")),
            ("CREATIVE COMMONS ATTRIBUTION-NONCOMMERCIAL", Some("CC BY-NC")),
            ("Creative Commons Non Commercial CC BY-NC: this article", Some("CC BY-NC")),
            ("licensed under Attribution-NonCommercial-ShareAlike", Some("CC BY-NC-SA")),
            ("licensed under Attribution 4.0 International", Some("CC BY")),
        ],
    );
}

#[test]
fn abbreviated_names_are_read() {
    check(
        in_text,
        &[
            ("CC BY 4.0", Some("CC BY")),
            ("published under CC-BY.", Some("CC BY")),
            ("(CC BY-NC-ND)", Some("CC BY-NC-ND")),
            ("CC\u{2011}BY\u{2011}NC\u{2011}ND license", Some("CC BY-NC-ND")),
            ("CC BY NC SA", Some("CC BY-NC-SA")),
            ("CCBY-NC", Some("CC BY-NC")),
            ("CC-BYNC 3.0", Some("CC BY-NC")),
            ("cc-by-nd", Some("CC BY-ND")),
            ("cc by 4.0", Some("CC BY")),
            ("licensed under BY-NC-ND 4.0", Some("CC BY-NC-ND")),
            ("Creative Commons BY-NC licence", Some("CC BY-NC")),
        ],
    );
}

#[test]
fn public_domain_is_cc0_only_when_it_is_dedicated() {
    check(
        in_text,
        &[
            ("under the Creative Commons CC0 public domain dedication", Some("CC0")),
            ("CC0 1.0 Universal", Some("CC0")),
            ("Creative Commons Zero", Some("CC0")),
            ("Creative Commons Public Domain Dedication waiver", Some("CC0")),
            ("CC 0", Some("CC0")),
            ("Creative Commons Public Domain Mark 1.0", None),
            ("the Creative Commons Public Domain Declaration, which stipulates", None),
            ("Publication of EHP lies in the public domain", None),
        ],
    );
}

#[test]
fn what_names_no_licence_is_no_evidence() {
    check(
        in_text,
        &[
            ("", None),
            ("for non-commercial use only", None),
            ("Non-commercial uses of the work are permitted without derivatives", None),
            ("Creative Commons", None),
            ("a Creative Commons licence", None),
            ("in the article's Creative Commons licence, non-commercial use is allowed", None),
            ("distributed under Creative Commons by the authors", None),
            ("inject 5 cc by mouth", None),
            ("with attribution, non-commercial use is allowed", None),
            ("proper attribution is required", None),
            ("creative commons sense. Attribution is needed", None),
            ("All rights reserved, including those for text and data mining", None),
            ("This file is available for text mining", None),
            ("éby-nc", None),
        ],
    );
}

#[test]
fn a_sentence_after_the_name_is_no_part_of_it() {
    check(
        in_text,
        &[
            ("Creative Commons Attribution License. Non-commercial use is free", Some("CC BY")),
            ("CC BY; no derivatives were made", Some("CC BY")),
            ("CC BY, non-commercial use is allowed too", Some("CC BY")),
        ],
    );
}

#[test]
fn the_shapes_of_real_articles() {
    // PLOS, BMC, Movement Disorders, bioRxiv, PTEP, eLife, EHP, BJC.
    let shape = |href: &str, license: &str, copyright: &str| {
        let hrefs = if href.is_empty() { vec![] } else { vec![href.into()] };
        let license = judge(&Evidence {
            hrefs,
            license_text: license.into(),
            copyright_text: copyright.into(),
            ..Evidence::default()
        });
        assert!(!license.conflict, "{license:?}");
        license.code
    };
    let by_4 = "http://creativecommons.org/licenses/by/4.0/";
    let by_2 = "http://creativecommons.org/licenses/by/2.0";
    let noncommercial = "http://creativecommons.org/licenses/by-nc/3.0";
    let no_derivatives = "http://creativecommons.org/licenses/by-nc-nd/4.0/";
    assert_eq!(shape("", "the terms of the Creative Commons Attribution License, which", ""), Some("CC BY"));
    assert_eq!(
        shape("", "", "X et al. under the terms of the Creative Commons Attribution License, which"),
        Some("CC BY")
    );
    assert_eq!(shape(by_4, "the Creative Commons Attribution License , which", ""), Some("CC BY"));
    assert_eq!(
        shape("", "free of all copyright, under the Creative Commons CC0 public domain dedication.", ""),
        Some("CC0")
    );
    assert_eq!(
        shape(by_2, &format!("Creative Commons Attribution License ({by_2}), which"), "© BioMed Central"),
        Some("CC BY")
    );
    assert_eq!(
        shape(noncommercial, &format!("Creative Commons Attribution Non-Commercial License ({noncommercial})"), "©"),
        Some("CC BY-NC")
    );
    assert_eq!(
        shape(
            no_derivatives,
            &format!(
                "a Creative Commons License (Attribution-NonCommercial-NoDerivs 4.0 International), CC BY-NC-ND 4.0, as described at {no_derivatives}"
            ),
            ""
        ),
        Some("CC BY-NC-ND")
    );
    assert_eq!(shape("http://creativecommons.org/publicdomain/mark/1.0/", "in the public domain", ""), None);
    assert_eq!(shape("", "", "Copyright © 2010 Cancer Research UK"), None);
}

#[test]
fn the_copyright_statement_counts_when_the_licence_text_names_none() {
    let evidence =
        Evidence { license_text: "Open Access".into(), copyright_text: "© X, CC BY-NC".into(), ..Evidence::default() };
    let license = judge(&evidence);
    assert_eq!((license.code, license.text.as_deref()), (Some("CC BY-NC"), Some("Open Access")));
    let license = judge(&Evidence { license_text: "CC BY".into(), ..evidence });
    assert_eq!((license.code, license.conflict), (Some("CC BY"), false));
}

#[test]
fn of_licences_that_disagree_the_strictest_wins() {
    let order = ["CC BY", "CC BY-SA", "CC BY-ND", "CC BY-NC", "CC BY-NC-SA", "CC BY-NC-ND", "TDM"];
    for (at, strict) in order.iter().enumerate().skip(1) {
        let codes = order.iter().take(at + 1).rev().map(ToString::to_string).collect();
        let license = judge(&Evidence { codes, ..Evidence::default() });
        assert_eq!((license.code, license.conflict), (Some(*strict), true));
    }
    let license = with_ref("https://creativecommons.org/licenses/by/4.0/", "ccbynclicense");
    assert_eq!((license.code, license.conflict, license.subset()), (Some("CC BY-NC"), true, Subset::Noncommercial));
    let license = in_text("Creative Commons Attribution License (http://creativecommons.org/licenses/by-nc/3.0/)");
    assert_eq!((license.code, license.conflict), (Some("CC BY-NC"), true));
}

#[test]
fn cc0_beside_another_cc_licence_is_a_waiver_for_data() {
    let license = judge(&Evidence {
        hrefs: vec![
            "http://creativecommons.org/publicdomain/zero/1.0/".into(),
            "http://creativecommons.org/licenses/by/4.0/".into(),
        ],
        license_text: "CC BY 4.0. The Creative Commons Public Domain Dedication waiver applies to the data".into(),
        ..Evidence::default()
    });
    assert_eq!((license.code, license.conflict), (Some("CC BY"), false));
    assert_eq!(license.url.as_deref(), Some("http://creativecommons.org/licenses/by/4.0/"));
    let license = judge(&Evidence { codes: vec!["CC0".into(), "TDM".into()], ..Evidence::default() });
    assert_eq!((license.code, license.conflict), (Some("TDM"), true));
}

#[test]
fn the_url_is_the_first_of_a_licence_as_written() {
    let by = "https://creativecommons.org/licenses/by/4.0/";
    let url = |hrefs: &[&str], reference: &str, text: &str| {
        let hrefs = hrefs.iter().map(ToString::to_string).collect();
        judge(&Evidence {
            hrefs,
            refs: vec![(reference.into(), None)],
            license_text: text.into(),
            ..Evidence::default()
        })
        .url
    };
    let mark = "http://creativecommons.org/publicdomain/mark/1.0/";
    assert_eq!(
        url(&["https://example.org/oa", " CreativeCommons.org/licenses/by/2.0 "], by, "").as_deref(),
        Some("CreativeCommons.org/licenses/by/2.0")
    );
    assert_eq!(url(&["https://example.org/oa"], by, "").as_deref(), Some(by));
    assert_eq!(url(&["https://example.org/oa"], "", &format!("Licence ({by}), which")).as_deref(), Some(by));
    assert_eq!(url(&[], "", &format!("seehttp:x Licence{by}.")).as_deref(), Some(by));
    assert_eq!(
        url(&["#n1", "mailto:a@b.org", "https://example.org/oa"], "", "").as_deref(),
        Some("https://example.org/oa")
    );
    assert_eq!(url(&[mark], "", "").as_deref(), Some(mark));
    assert_eq!(url(&["http://creativecommons.org/"], by, "").as_deref(), Some(by));
    assert_eq!(url(&["#n1"], "", "no address"), None);
}

#[test]
fn the_text_is_that_of_the_licence_else_of_the_copyright() {
    let text = |license: &str, copyright: &str| {
        judge(&Evidence { license_text: license.into(), copyright_text: copyright.into(), ..Evidence::default() }).text
    };
    assert_eq!(text(" L ", "C").as_deref(), Some("L"));
    assert_eq!(text(" ", "C").as_deref(), Some("C"));
    assert_eq!(text("", ""), None);
}

#[test]
fn long_texts_take_linear_time() {
    for word in ["cc ", "by-", "creative commons license ", "attribution ", "creativecommons.org/", "non ", "http", "("]
    {
        let _ = in_text(&word.repeat((1 << 20) / word.len()));
    }
}

proptest! {
    #[test]
    fn any_text_is_judged(
        text in r"((?i)creative commons|creativecommons\.org/|licenses/|by|cc|nc|-|/|0|zero|attribution|non|commercial|share|alike|tdm| |\.|\PC){0,12}",
    ) {
        let evidence = Evidence {
            codes: vec![text.clone()],
            refs: vec![(text.clone(), Some(text.clone()))],
            hrefs: vec![text.clone()],
            license_text: text.clone(),
            copyright_text: text,
        };
        let license = judge(&evidence);
        prop_assert!(!license.conflict || license.code.is_some());
    }
}
