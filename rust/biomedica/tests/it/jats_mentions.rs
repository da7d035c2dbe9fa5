use super::document::{figures, parse};

fn contexts(xml: &str) -> Vec<Vec<String>> {
    figures(xml).into_iter().map(|figure| figure.context).collect()
}

const THREE: &str = "<fig id='f1'><graphic href='1'/></fig><fig id='f2'><graphic href='2'/></fig><fig id='f3'><graphic href='3'/></fig>";

#[test]
fn a_paragraph_mentions_a_figure_by_rid_whatever_the_ref_type() {
    let xml = format!(
        "<p>See <xref ref-type='bibr' rid='f1 f3'>Figs 1, 3</xref> (<xref rid='f1'>1</xref>).</p><p>None <xref rid='x'>x</xref></p>{THREE}"
    );
    assert_eq!(contexts(&xml), [vec!["See Figs 1, 3 (1)."], vec![], vec!["See Figs 1, 3 (1)."]]);
}

#[test]
fn the_innermost_paragraph_counts() {
    let xml = format!(
        "<p>Outer <list><list-item><p>inner <xref rid='f1'>1</xref></p></list-item></list> end</p><p>A<fn><p>note <xref rid='f2'>2</xref></p></fn>b</p><p>x <boxed-text><p>box <xref rid='f3'>3</xref></p></boxed-text></p>{THREE}"
    );
    assert_eq!(contexts(&xml), [["inner 1"], ["note 2"], ["box 3"]]);
}

#[test]
fn a_float_in_a_paragraph_is_no_mention_by_the_paragraph_around_it() {
    let xml = "<p>Text <fig id='a'><caption><p>Self <xref rid='a'>1</xref>, other <xref rid='b'>2</xref></p></caption><graphic href='1'/></fig></p><fig id='b'><graphic href='2'/></fig>";
    assert_eq!(contexts(xml), [vec![], vec!["Self 1, other 2"]]);
}

#[test]
fn ranges_mention_all_they_span() {
    for between in ["-", " \u{2013} ", "\u{2212}", " to ", " through ", "<sup>\u{2013}</sup>", "<!-- c -->&#8211;"] {
        let xml = format!("<p>Figs <xref rid='f1'>1</xref>{between}<xref rid='f3'>3</xref></p>{THREE}");
        assert!(contexts(&xml).iter().all(|context| context.len() == 1), "{between}");
    }
    for between in [",", " and ", "", "-5-"] {
        let xml = format!("<p>Figs <xref rid='f1'>1</xref>{between}<xref rid='f3'>3</xref></p>{THREE}");
        assert_eq!(contexts(&xml)[1].len(), 0, "{between}");
    }
    let backwards = format!("<p><xref rid='f3'>3</xref>-<xref rid='f1'>1</xref></p>{THREE}");
    assert_eq!(contexts(&backwards).iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1]);
}

#[test]
fn ranges_span_elements_of_one_name_only() {
    let xml = "<p><xref rid='f1'>1</xref>-<xref rid='f2'>2</xref></p><fig id='f1'><graphic href='1'/></fig><table-wrap id='t'><graphic href='t'/></table-wrap><fig id='f2'><graphic href='2'/></fig>";
    assert_eq!(contexts(xml).iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1]);
}

#[test]
fn a_group_s_id_mentions_all_of_it_but_its_caption_does_not() {
    let xml = "<p>All <xref rid='g'>1</xref></p><fig-group id='g'><caption><p>See <xref rid='a'>A</xref></p></caption>\
               <fig id='a'><graphic href='1'/></fig><fig id='b'><caption><p>As in <xref rid='a'>A</xref></p></caption><graphic href='2'/></fig></fig-group>";
    assert_eq!(contexts(xml), [vec!["All 1", "As in A"], vec!["All 1"]]);
}

#[test]
fn graphics_are_mentioned_by_their_own_ids() {
    let xml =
        "<p><xref rid='g2'>here</xref></p><fig id='f'><graphic id='g1' href='1'/><graphic id='g2' href='2'/></fig>";
    assert_eq!(contexts(xml).iter().map(Vec::len).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn ids_used_twice_mean_the_one_in_the_same_sub_article() {
    let xml = "<article><body><p>main <xref rid='f'>1</xref></p><fig id='f'><graphic href='1'/></fig></body>\
               <sub-article><body><p>sub <xref rid='f'>1</xref></p><fig id='f'><graphic href='2'/></fig></body></sub-article>\
               <sub-article><body><p>third <xref rid='f'>1</xref></p></body></sub-article></article>";
    let contexts: Vec<_> = parse(xml).figures.into_iter().map(|figure| figure.context).collect();
    assert_eq!(contexts, [["main 1", "third 1"], ["sub 1", "third 1"]]);
}

#[test]
fn mentions_stand_in_document_order_each_once() {
    let xml = format!(
        "<p>One <xref rid='f1'>1</xref> <disp-quote><p>two <xref rid='f1'>1</xref></p></disp-quote></p><p>Three <xref rid='f1'>1</xref></p>{THREE}"
    );
    assert_eq!(contexts(&xml)[0], ["One 1 two 1", "two 1", "Three 1"]);
}

#[test]
fn abstracts_notes_and_appendices_mention_too() {
    let xml = "<article><front><article-meta><abstract><p>abs <xref rid='f'>1</xref></p></abstract></article-meta></front>\
               <body><sec><title>T <xref rid='f'>no</xref></title></sec><fig id='f'><graphic href='1'/></fig></body>\
               <back><fn-group><fn><p>note <xref rid='f'>1</xref></p></fn></fn-group><app><p>app <xref rid='f'>1</xref></p></app></back></article>";
    assert_eq!(parse(xml).figures[0].context, ["abs 1", "note 1", "app 1"]);
}
