use super::document::{meta, parse};

#[test]
fn accession_is_the_pmc_id_else_the_doi_s_slug() {
    let id = |kind: &str, id: &str| format!("<article-id pub-id-type='{kind}'>{id}</article-id>");
    assert_eq!(meta(&id("pmc", "123")).accession.as_deref(), Some("PMC123"));
    assert_eq!(meta(&id("pmcid", "PMC123")).accession.as_deref(), Some("PMC123"));
    assert_eq!(meta(&id("doi", "10.1371/Journal.pone.1")).accession.as_deref(), Some("10-1371-journal-pone-1"));
    assert_eq!(meta(&(id("doi", "10.1/a") + &id("pmc", "7"))).accession.as_deref(), Some("PMC7"));
    assert_eq!(meta("").accession, None);
}

#[test]
fn authors_are_named_contributors_and_collaborations() {
    let article = meta(
        "<contrib-group><contrib contrib-type='author'><name><surname>Curie</surname><given-names>Marie S.</given-names><suffix>Jr</suffix></name><xref rid='a'>1</xref></contrib>\
         <contrib contrib-type='editor'><name><surname>No</surname></name></contrib>\
         <contrib><collab>The Group<contrib-group><contrib contrib-type='author'><name><surname>Member</surname></name></contrib></contrib-group></collab></contrib>\
         <contrib contrib-type='author'><string-name>Plain Name</string-name></contrib>\
         <contrib contrib-type='author'><name-alternatives><name><surname>First</surname></name><name><surname>Second</surname></name></name-alternatives></contrib></contrib-group>",
    );
    assert_eq!(article.authors, ["Marie S. Curie Jr", "The Group", "Plain Name", "First"]);
}

#[test]
fn the_abstract_is_the_first_that_is_one() {
    let article = meta(
        "<abstract abstract-type='graphical'><p>g</p></abstract><abstract abstract-type='short'><p>s</p></abstract>\
         <abstract><title>Abstract</title><sec><title>Aims</title><p>a</p></sec><p>b</p></abstract><abstract><p>later</p></abstract>",
    );
    assert_eq!(article.abstract_text.as_deref(), Some("Aims a b"));
    let article =
        meta("<abstract abstract-type='toc'><p>t</p></abstract><abstract abstract-type='web'><p>w</p></abstract>");
    assert_eq!(article.abstract_text.as_deref(), Some("w"));
}

#[test]
fn titles_keywords_and_subjects_are_the_article_s_own() {
    let article = parse(
        "<article article-type='research-article' xml:lang='en'><front><journal-meta><journal-title>J</journal-title></journal-meta><article-meta>\
         <article-categories><subj-group><subject>A</subject><subj-group><subject>B</subject></subj-group></subj-group><subj-group><subject>A</subject></subj-group></article-categories>\
         <title-group><article-title>On <italic>X</italic><xref rid='n'>*</xref><fn><p>n</p></fn></article-title><subtitle>sub</subtitle></title-group>\
         <related-article related-article-type='retraction-forward'/>\
         <kwd-group><kwd>k1</kwd><kwd>k2</kwd><kwd>k1</kwd></kwd-group><kwd-group kwd-group-type='abbreviations'><kwd>abbr</kwd></kwd-group>\
         <volume>3</volume><issue>2</issue><fpage>10</fpage><lpage>19</lpage><pub-date pub-type='epub'><year>2005</year></pub-date></article-meta></front>\
         <sub-article article-type='reply'><front-stub><title-group><article-title>Other</article-title></title-group><kwd-group><kwd>no</kwd></kwd-group></front-stub></sub-article></article>",
    );
    assert_eq!(article.title.as_deref(), Some("On X"));
    assert_eq!((article.keywords, article.subjects), (vec!["k1".into(), "k2".into()], vec!["A".into(), "B".into()]));
    assert_eq!((article.article_type.as_deref(), article.language.as_deref()), (Some("research-article"), Some("en")));
    assert_eq!(article.citation.as_deref(), Some("J. 2005;3(2):10-19"));
    assert!(article.is_retracted);
}

#[test]
fn references_are_counted_outside_sub_articles() {
    let article = parse(
        "<article><back><ref-list><ref id='r1'><label>1</label><mixed-citation>Doe J, <article-title>T<sub>2</sub></article-title><source>Nat</source><volume>3</volume>:<fpage>1</fpage>. <pub-id pub-id-type='pmid'>11</pub-id></mixed-citation></ref>\
         <ref id='r2'><element-citation><name><surname>A</surname><given-names>B</given-names></name><year>2001</year><pub-id pub-id-type='doi'>10.1/x</pub-id><pub-id pub-id-type='pmid'>11</pub-id></element-citation></ref></ref-list></back>\
         <sub-article><back><ref-list><ref><pub-id pub-id-type='pmid'>99</pub-id></ref></ref-list></back></sub-article></article>",
    );
    assert_eq!(article.reference_ids, ["11"]);
    let citations: Vec<_> = article.references.iter().map(|reference| reference.citation.as_str()).collect();
    assert_eq!(citations, ["Doe J, T2 Nat 3:1. 11", "A B 2001 10.1/x 11"]);
    assert_eq!(article.references[1].doi.as_deref(), Some("10.1/x"));
}

#[test]
fn dates_and_licences_come_from_the_article_s_own_front() {
    let article = parse(
        "<article><front><article-meta><pub-date pub-type='ppub'><year>2004</year></pub-date><pub-date pub-type='epub'><day>3</day><month>1</month><year>2005</year></pub-date>\
         <permissions><copyright-statement>(c) Doe</copyright-statement><license xlink:href='http://creativecommons.org/licenses/by/4.0/'><license-p>Free <ext-link xlink:href='http://x.org'>x</ext-link></license-p></license></permissions></article-meta></front>\
         <sub-article><front-stub><permissions><license xlink:href='http://creativecommons.org/licenses/by-nc/4.0/'/></permissions></front-stub></sub-article></article>",
    );
    assert_eq!(article.date.as_deref(), Some("2005-01-03"));
    assert_eq!((article.license.code, article.license.conflict), (Some("CC BY"), false));
    assert_eq!(article.license.text.as_deref(), Some("Free x"));
}

#[test]
fn the_journal_is_its_title_else_its_abbreviation() {
    let journal = |inner: &str| {
        let xml = format!("<article><front><journal-meta>{inner}</journal-meta></front></article>");
        parse(&xml).journal
    };
    let id = "<journal-id journal-id-type='pmc'>plosone</journal-id><journal-id journal-id-type='nlm-ta'>PLoS ONE</journal-id>";
    assert_eq!(journal(id).as_deref(), Some("PLoS ONE"));
    assert_eq!(journal(&format!("{id}<journal-title>PLOS ONE</journal-title>")).as_deref(), Some("PLOS ONE"));
    assert_eq!(journal("<abbrev-journal-title>J X</abbrev-journal-title>").as_deref(), Some("J X"));
    assert_eq!(journal("<journal-id journal-id-type='pmc'>x</journal-id>"), None);
}
