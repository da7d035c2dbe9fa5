use super::document::{figures, parse};
use biomedica::jats::{CaptionSource, Figure, FigureKind};

fn brief(figures: &[Figure]) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or("-".into());
    let line = |figure: &Figure| {
        format!(
            "{} id={} kind={} label={} caption={} ({}) group={}{}",
            figure.hrefs.join("|"),
            text(&figure.id),
            figure.kind,
            text(&figure.label),
            text(&figure.caption),
            figure.caption_source,
            text(&figure.group_caption),
            if figure.in_sub_article { " sub" } else { "" },
        )
    };
    figures.iter().map(line).collect()
}

#[test]
fn a_fig_has_its_id_label_and_caption_wherever_the_caption_stands() {
    let xml = "<fig id='f1'><label>Figure 1</label><caption><title>T.</title><p>P &amp; q.</p><p>R</p></caption><graphic href='a'/></fig>\
               <fig id='f2'><graphic href='b'/><label>Figure 2</label><caption><p>After</p></caption></fig>";
    insta::assert_snapshot!(brief(&figures(xml)).join("\n"), @r"
    a id=f1 kind=fig label=Figure 1 caption=T. P & q. R (own) group=-
    b id=f2 kind=fig label=Figure 2 caption=After (own) group=-
    ");
}

#[test]
fn kinds_follow_the_nearest_element() {
    let xml = "<table-wrap id='t'><caption><p>c</p></caption><graphic href='t'/></table-wrap>\
               <chem-struct-wrapper><graphic href='c'/></chem-struct-wrapper>\
               <boxed-text><caption><title>Box</title></caption><p><graphic href='b'/></p><fig><graphic href='bf'/></fig></boxed-text>\
               <supplementary-material href='s.pdf'><caption><p>S</p></caption><graphic href='s'/></supplementary-material>\
               <p><graphic id='g' href='bare'/></p>\
               <fig fig-type='Graphical Abstract'><graphic href='ga'/></fig>";
    insta::assert_snapshot!(brief(&figures(xml)).join("\n"), @r"
    t id=t kind=table label=- caption=c (own) group=-
    c id=- kind=chem label=- caption=- (none) group=-
    b id=- kind=box label=- caption=Box (own) group=-
    bf id=- kind=fig label=- caption=Box (parent) group=-
    s id=- kind=other label=- caption=S (own) group=-
    bare id=g kind=other label=- caption=- (none) group=-
    ga id=- kind=graphical-abstract label=- caption=- (none) group=-
    ");
}

#[test]
fn groups_lend_their_caption_label_and_id() {
    let xml = "<fig-group id='g'><label>Figure 1</label><caption><p>All</p></caption>\
               <fig id='a'><label>A</label><caption><p>Own</p></caption><graphic href='1'/></fig>\
               <fig><graphic href='2'/></fig><graphic href='3'/></fig-group>\
               <fig><label>Only</label><caption><p> </p></caption><graphic href='4'/></fig>";
    insta::assert_snapshot!(brief(&figures(xml)).join("\n"), @r"
    1 id=a kind=fig label=A caption=Own (own) group=All
    2 id=g kind=fig label=Figure 1 caption=All (group) group=All
    3 id=g kind=fig label=Figure 1 caption=All (group) group=All
    4 id=- kind=fig label=Only caption=Only (label) group=-
    ");
}

#[test]
fn a_graphic_s_own_caption_label_and_id_count() {
    let xml = "<fig id='f'><label>1</label><caption><p>of fig</p></caption>\
               <graphic id='g' href='a'><label>1a</label><caption><p>of graphic</p></caption></graphic></fig>";
    let figure = figures(xml).remove(0);
    assert_eq!((figure.id.as_deref(), figure.label.as_deref()), (Some("f"), Some("1a")));
    assert_eq!((figure.caption.as_deref(), figure.caption_source), (Some("of graphic"), CaptionSource::Own));
}

#[test]
fn alternatives_are_one_figure_of_the_preferred_format() {
    let xml = "<fig><alternatives><graphic href='a.gif' content-type='thumbnail'/><graphic href='a.tif'/><graphic href='a.jpg'/></alternatives></fig>\
               <fig><graphic href='b.tif'/><graphic href='b.png'/></fig>\
               <fig><graphic href='c-200x100.jpg'/></fig>\
               <fig><alternatives><graphic href='d_400x300.jpg'/><graphic href='d.png' id='d'/></alternatives></fig>";
    let hrefs: Vec<_> = figures(xml).into_iter().map(|figure| figure.hrefs.join(" ")).collect();
    assert_eq!(hrefs, ["a.jpg a.tif a.gif", "b.png b.tif", "c-200x100.jpg", "d.png d_400x300.jpg"]);
}

#[test]
fn graphics_of_one_element_with_other_names_are_several_figures() {
    let xml = "<fig id='f'><graphic href='p.g001'/><graphic href='p.g002'/><graphic href='x.jpg'/><graphic href='x.jpg'/></fig>";
    assert_eq!(figures(xml).len(), 4);
}

#[test]
fn images_are_media_but_formulae_and_inline_graphics_are_none() {
    let xml = "<p><inline-graphic href='i'/><disp-formula><graphic href='f'/></disp-formula>\
               <inline-formula><alternatives><graphic href='f'/></alternatives></inline-formula></p>\
               <media mimetype='image' href='m1'/><media href='m2.PNG'/><media href='v.mp4'/><media mimetype='video' href='v.jpg'/>";
    let hrefs: Vec<_> = figures(xml).into_iter().flat_map(|figure| figure.hrefs).collect();
    assert_eq!(hrefs, ["m1", "m2.PNG"]);
}

#[test]
fn a_graphic_without_href_stays() {
    let all = figures("<fig id='f'><caption><p>c</p></caption><graphic/></fig>");
    assert_eq!((all.len(), all[0].hrefs.len()), (1, 0));
}

#[test]
fn the_front_has_figures_in_its_abstracts_alone() {
    let xml = "<article><front><journal-meta><graphic href='logo'/></journal-meta><article-meta>\
               <permissions><license><p><graphic href='cc'/></p></license></permissions>\
               <abstract abstract-type='graphical'><title>T</title><p>What it <bold>shows</bold><fig id='ga'><graphic href='ga'/></fig></p><p>More</p></abstract>\
               <abstract><p><fig><graphic href='plain'/></fig></p></abstract>\
               <trans-abstract abstract-type='visual-abstract'><p><graphic href='va'/></p></trans-abstract>\
               </article-meta></front></article>";
    insta::assert_snapshot!(brief(&parse(xml).figures).join("\n"), @r"
    ga id=ga kind=graphical-abstract label=- caption=What it shows More (parent) group=-
    plain id=- kind=fig label=- caption=- (none) group=-
    va id=- kind=graphical-abstract label=- caption=- (none) group=-
    ");
}

#[test]
fn floats_groups_back_matter_and_sub_articles_have_figures_in_document_order() {
    let xml = "<article><body><p/><fig><graphic href='1'/></fig></body><back><app-group><app><fig><graphic href='2'/></fig></app></app-group></back>\
               <floats-wrap><fig><graphic href='3'/></fig></floats-wrap>\
               <sub-article><front-stub><graphic href='no'/></front-stub><body><fig><graphic href='4'/></fig></body>\
               <response><body><p><graphic href='5'/></p></body></response></sub-article></article>";
    insta::assert_snapshot!(brief(&parse(xml).figures).join("\n"), @r"
    1 id=- kind=fig label=- caption=- (none) group=-
    2 id=- kind=fig label=- caption=- (none) group=-
    3 id=- kind=fig label=- caption=- (none) group=-
    4 id=- kind=fig label=- caption=- (none) group=- sub
    5 id=- kind=other label=- caption=- (none) group=- sub
    ");
}

#[test]
fn the_article_may_be_wrapped_and_in_a_namespace() {
    let xml = "<OAI-PMH xmlns='x'><record><metadata><j:article xmlns:j='y'><j:body><j:fig><j:graphic xl:href='a'/></j:fig></j:body></j:article></metadata></record></OAI-PMH>";
    let all = parse(xml).figures;
    assert_eq!((all[0].hrefs[0].as_str(), all[0].kind), ("a", FigureKind::Fig));
}
