use proptest::prelude::*;

use super::*;

fn answer(xml: &str) -> Answer {
    parse(xml.as_bytes(), &Limits::default())
}

/// The one record with this in its `MedlineCitation` and this in its `PubmedData`.
fn citation(medline: &str, data: &str) -> Citation {
    let mut answer = answer(&set(&record("1", medline, data)));
    assert!(answer.fault.is_none(), "{:?}", answer.fault);
    assert_eq!(answer.citations.len(), 1);
    answer.citations.remove(0)
}

fn record(pmid: &str, medline: &str, data: &str) -> String {
    format!(
        "<PubmedArticle><MedlineCitation Status=\"MEDLINE\"><PMID Version=\"1\">{pmid}</PMID>{medline}</MedlineCitation>\
         <PubmedData>{data}</PubmedData></PubmedArticle>"
    )
}

fn set(records: &str) -> String {
    format!(
        "<?xml version=\"1.0\" ?>\n<!DOCTYPE PubmedArticleSet PUBLIC \"-//NLM//DTD PubMedArticle, 1st January 2025//EN\" \
         \"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd\">\n<PubmedArticleSet>{records}</PubmedArticleSet>"
    )
}

fn fault(xml: &str) -> Error {
    answer(xml).fault.unwrap()
}

#[test]
fn mesh_terms_have_their_qualifiers_and_a_star_where_they_are_major() {
    let found = citation(
        "<MeshHeadingList>\
         <MeshHeading><DescriptorName UI=\"D006801\" MajorTopicYN=\"N\">Humans</DescriptorName></MeshHeading>\
         <MeshHeading><DescriptorName UI=\"D008875\" MajorTopicYN=\"Y\">Middle Aged</DescriptorName></MeshHeading>\
         <MeshHeading><DescriptorName MajorTopicYN=\"N\">Heart Failure</DescriptorName>\
         <QualifierName UI=\"Q000188\" MajorTopicYN=\"Y\">drug therapy</QualifierName>\
         <QualifierName MajorTopicYN=\"N\">etiology</QualifierName></MeshHeading>\
         <MeshHeading><DescriptorName MajorTopicYN=\"Y\">Sleep &amp; Rest</DescriptorName>\
         <QualifierName MajorTopicYN=\"N\">physiology</QualifierName></MeshHeading>\
         <MeshHeading></MeshHeading></MeshHeadingList>",
        "",
    );
    assert_eq!(
        found.mesh_terms,
        ["Humans", "Middle Aged*", "Heart Failure/drug therapy*", "Heart Failure/etiology", "Sleep & Rest*/physiology"]
    );
}

#[test]
fn sections_of_an_abstract_stand_under_their_labels() {
    let text = "<Article><Abstract>\
        <AbstractText Label=\"AIMS &amp; SCOPE\" NlmCategory=\"OBJECTIVE\">CO<sub>2</sub>\n  in <i>E. coli</i>.</AbstractText>\
        <AbstractText Label=\"\">Rest &lt; 5&#xA0;%.</AbstractText><CopyrightInformation>(c) N. N.</CopyrightInformation>\
        </Abstract></Article><OtherAbstract Type=\"plain\"><AbstractText>Other.</AbstractText></OtherAbstract>";
    let found = citation(text, "");
    assert_eq!(found.abstract_text.as_deref(), Some("AIMS & SCOPE: CO2 in E. coli. Rest < 5 %."));
    assert_eq!(citation("<Article/>", "").abstract_text, None);
}

#[test]
fn references_have_their_numbers_and_the_articles_own_numbers_are_none() {
    let found = citation(
        "<CommentsCorrectionsList><CommentsCorrections><PMID>99</PMID></CommentsCorrections></CommentsCorrectionsList>",
        "<ArticleIdList><ArticleId IdType=\"pubmed\">1</ArticleId><ArticleId IdType=\"doi\">10.1/own</ArticleId></ArticleIdList>\
         <ReferenceList><Title>References</Title><Reference><Citation>Doe J. <i>Cell</i> 2001.</Citation><ArticleIdList>\
         <ArticleId IdType=\"doi\">10.1/x</ArticleId><ArticleId IdType=\"pubmed\">7</ArticleId>\
         <ArticleId IdType=\"pmc\">PMC8</ArticleId></ArticleIdList></Reference><Reference/>\
         <ReferenceList><Reference><Citation>Roe.</Citation></Reference></ReferenceList></ReferenceList>",
    );
    assert_eq!(found.pmid, "1");
    let expected = |citation: &str, pmid: Option<&str>, doi: Option<&str>| Reference {
        id: None,
        pmid: pmid.map(str::to_owned),
        doi: doi.map(str::to_owned),
        citation: citation.to_owned(),
    };
    assert_eq!(
        found.references,
        [expected("Doe J. Cell 2001.", Some("7"), Some("10.1/x")), expected("Roe.", None, None)]
    );
}

#[test]
fn books_and_withdrawn_records_are_told_apart() {
    let found = answer(&set(
        "<PubmedBookArticle><BookDocument><PMID>5</PMID><Abstract><AbstractText>A book.</AbstractText></Abstract>\
         </BookDocument></PubmedBookArticle><DeleteCitation><PMID>6</PMID><PMID>7</PMID></DeleteCitation>\
         <PubmedArticle><MedlineCitation/></PubmedArticle>",
    ));
    let rows: Vec<_> =
        found.citations.iter().map(|c| (c.pmid.as_str(), c.status, c.abstract_text.as_deref())).collect();
    assert_eq!(
        rows,
        [("5", Status::Found, Some("A book.")), ("6", Status::Deleted, None), ("7", Status::Deleted, None)]
    );
    assert!(answer("<PubmedArticleSet/>").fault.is_none());
}

#[test]
fn what_is_no_answer_of_pubmed_says_what_it_is() {
    for (xml, shown) in [
        ("<!DOCTYPE html><html><body>Down for\n maintenance<br></body></html>", "Down for maintenance"),
        ("{\"error\":\"API rate limit exceeded\",\"count\":\"4\"}", "API rate limit exceeded"),
        ("<eFetchResult><ERROR>UIDs are wrong</ERROR></eFetchResult>", "UIDs are wrong"),
        ("plain & text", "plain & text"),
    ] {
        let error = fault(xml);
        assert_eq!((error.stage(), error.reason()), (Stage::Xml, Reason::UnsupportedFormat), "{error}");
        assert!(error.to_string().contains(shown), "{error}");
        assert!(error.to_string().len() < 300, "{error}");
    }
    assert_eq!(fault("").reason(), Reason::Empty);
}

#[test]
fn records_before_a_fault_are_kept() {
    let whole = record("1", "", "");
    for (broken, reason) in [
        ("<PubmedArticle><MedlineCitation><PMID>2</PMID>", Reason::Truncated),
        ("<PubmedArticle><MedlineCitation><PM", Reason::Truncated),
        ("<PubmedArticle><i></b></PubmedArticle>", Reason::Malformed),
        (&"<x>".repeat(5000), Reason::TooDeep),
    ] {
        let answer = answer(&format!("<PubmedArticleSet>{whole}{broken}"));
        assert_eq!(answer.citations.len(), 1);
        let error = answer.fault.unwrap();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.offset().is_some());
    }
}

#[test]
fn entities_that_a_document_defines_are_not_read() {
    let xml =
        "<!DOCTYPE PubmedArticleSet [<!ENTITY a 'aaaa'><!ENTITY f SYSTEM 'file:///etc/passwd'>]><PubmedArticleSet>"
            .to_owned()
            + &record("1", "<Article><Abstract><AbstractText>&a; &f; &alpha;</AbstractText></Abstract></Article>", "")
            + "</PubmedArticleSet>";
    assert_eq!(answer(&xml).citations[0].abstract_text.as_deref(), Some("&a; &f; α"));
}

proptest! {
    #[test]
    fn any_bytes_give_records_or_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let answer = parse(&bytes, &Limits::default());
        prop_assert!(answer.citations.is_empty() || answer.fault.is_none());
    }

    #[test]
    fn an_answer_cut_anywhere_keeps_the_records_that_were_whole(count in 0_usize..5, cut in 0.0..1.0_f64) {
        let records: Vec<String> = (1..=count).map(|pmid| record(&pmid.to_string(), "<MeshHeading/>", "<x>&amp;</x>")).collect();
        let whole = format!("<PubmedArticleSet>{}</PubmedArticleSet>", records.concat());
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let end = (whole.len() as f64 * cut) as usize;
        let answer = answer(&whole[..end]);
        prop_assert!(answer.fault.is_some());
        let expected = whole[..end].matches("</PubmedArticle>").count();
        prop_assert_eq!(answer.citations.len(), expected);
    }
}
