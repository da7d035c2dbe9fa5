use super::document::{body, caption, parse};

#[test]
fn white_space_collapses_and_is_trimmed() {
    assert_eq!(caption(" a \n\t b&#160;&#x2009;c&nbsp; "), "a b c");
}

#[test]
fn inline_elements_join_with_nothing() {
    assert_eq!(
        caption("CO<sub>2</sub> and <italic>E. <bold>coli</bold></italic>,<x>;</x> 5<named-content>x</named-content>"),
        "CO2 and E. coli,; 5x"
    );
}

#[test]
fn blocks_join_with_one_space() {
    assert_eq!(
        caption(
            "a<list><list-item><label>1.</label><p>b</p></list-item><list-item><p>c</p></list-item></list>d<break/>e"
        ),
        "a 1. b c d e"
    );
}

#[test]
fn comments_and_instructions_are_no_text() {
    assert_eq!(caption("wo<!-- x -->r<?pi y?>d"), "word");
}

#[test]
fn cdata_is_text() {
    assert_eq!(caption("<![CDATA[a < b]]> &amp; c"), "a < b & c");
}

#[test]
fn notes_and_floats_are_no_part_of_the_text_around_them() {
    assert_eq!(
        caption(
            "a<fn><p>note</p></fn>b<inline-graphic><alt-text>x</alt-text></inline-graphic><supplementary-material><p>s</p></supplementary-material><permissions><p>c</p></permissions>"
        ),
        "ab"
    );
}

#[test]
fn entities_are_known_and_unknown_ones_stay() {
    let xml = "<!DOCTYPE article [<!ENTITY own 'mine &alpha;'>]><article><body><p>&own; &beta;&nosuch; &#0; R&D</p></body></article>";
    assert_eq!(parse(xml).text, "mine α β&nosuch; &#0; R&D");
}

#[test]
fn mathml_is_the_text_of_its_tokens() {
    assert_eq!(
        caption(
            "x <inline-formula><mml:math><mml:mrow> <mml:mi>a</mml:mi> <mml:mo>=</mml:mo>\n<mml:mn>1</mml:mn><mml:mtext> if </mml:mtext><mml:mi>b</mml:mi></mml:mrow><mml:annotation><mml:mi>no</mml:mi></mml:annotation></mml:math></inline-formula> y"
        ),
        "x a=1 if b y"
    );
}

#[test]
fn a_formula_with_mathml_and_tex_gives_the_mathml_in_either_order() {
    let tex = r"<tex-math>\documentclass{a}\begin{document}$$x^2$$\end{document}</tex-math>";
    let math = "<mml:math><mml:mi>x</mml:mi></mml:math>";
    for inner in [format!("{tex}{math}"), format!("{math}{tex}")] {
        let text = format!("a <inline-formula><alternatives>{inner}</alternatives></inline-formula> b");
        assert_eq!(caption(&text), "a x b");
    }
    assert_eq!(caption(&format!("a<inline-formula>{tex}</inline-formula>b")), "ax^2b");
    assert_eq!(
        caption(
            "a<disp-formula><alternatives><tex-math>y</tex-math><mml:math/></alternatives><label>(1)</label></disp-formula>b"
        ),
        "a y (1) b"
    );
    assert_eq!(
        caption(&format!("a <inline-formula>{tex}</inline-formula> and <inline-formula>{math}</inline-formula>")),
        "a x^2 and x"
    );
}

#[test]
fn article_text_has_a_paragraph_a_line_and_titles_on_their_own() {
    let article = body(
        "<p>Lead.</p><sec><label>1</label><title>One</title><p>A <xref rid='r'>1</xref>\n<list><list-item><p>b</p></list-item></list> c.</p>\
         <fig><caption><p>no</p></caption><graphic href='a'/></fig><p>D</p><sec><title>Sub</title><disp-quote><p>q1</p><p>q2</p></disp-quote></sec></sec>",
    );
    assert_eq!(article.text, "Lead.\nOne\nA 1 b c.\nD\nSub\nq1 q2");
}

#[test]
fn article_text_is_the_article_s_own() {
    let article = parse(
        "<article><body><p>own</p></body><back><ack><p>thanks</p></ack></back>\
         <sub-article><body><p>other</p></body></sub-article></article>",
    );
    assert_eq!(article.text, "own");
}
