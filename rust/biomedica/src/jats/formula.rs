//! Formulae: MathML where there is some, else TeX.

use super::text::Mark;

/// What of a formula stands in the text so far.
#[derive(Debug, Default)]
pub struct Formula {
    /// Its MathML had text.
    pub has_math: bool,
    /// Where its TeX stands, to be removed when MathML follows.
    pub tex: Option<(Mark, Mark)>,
}

/// The formula of a TeX document, without what encloses it.
pub fn tex(document: &str) -> &str {
    let inner = match document.split_once("\\begin{document}") {
        Some((_, rest)) => rest.split_once("\\end{document}").map_or(rest, |(inner, _)| inner),
        None => document,
    };
    let inner = inner.trim();
    for (open, close) in [("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")] {
        let enclosed = inner.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        // In `$a$ and $b$` nothing encloses the whole.
        if let Some(enclosed) = enclosed.filter(|enclosed| !enclosed.contains(close)) {
            return enclosed;
        }
    }
    inner
}

#[cfg(test)]
mod tests {
    use super::tex;

    #[test]
    fn tex_is_what_stands_in_the_document_without_its_delimiters() {
        let document = r"\documentclass{minimal} \begin{document}$$ x^2 $$\end{document}";
        assert_eq!(tex(document), " x^2 ");
        assert_eq!(tex(r"\(a\)"), "a");
        assert_eq!(tex(r"\[a\]"), "a");
        assert_eq!(tex("$a$ and $b$"), "$a$ and $b$");
        assert_eq!(tex("$"), "$");
        assert_eq!(tex(r"\begin{document}a"), "a");
    }
}
