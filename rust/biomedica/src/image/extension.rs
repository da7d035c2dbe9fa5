//! File name extensions that mean an image, and which of several is preferred.

/// Extensions of images, in lower case. Names such as `pone.0001.g001` end in none of them.
const KNOWN: &[&str] = &[
    "jpg", "jpeg", "jpe", "jfif", "png", "tif", "tiff", "gif", "webp", "bmp", "svg", "eps", "ps", "jp2", "jpx", "j2k",
    "emf", "wmf", "heic", "heif", "avif", "jxl", "ico", "psd", "ai", "dcm",
];

/// `name` without its image extension, and that extension as written; none when `name` ends in no known one.
///
/// `name` may be a path; a dot in a directory's name is no extension, and a name that is all extension has no stem.
pub fn split(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('.') {
        Some((stem, ext)) if !stem.is_empty() && !stem.ends_with('/') && is_known(ext) => (stem, Some(ext)),
        _ => (name, None),
    }
}

/// Whether `ext`, in any case and without its dot, is an image's.
pub fn is_known(ext: &str) -> bool {
    KNOWN.iter().any(|known| known.eq_ignore_ascii_case(ext))
}

/// The place of `ext` in the order of preference: jpg, png, tif, gif, then all others.
pub fn rank(ext: &str) -> u8 {
    const ORDER: [&[&str]; 4] = [&["jpg", "jpeg"], &["png"], &["tif", "tiff"], &["gif"]];
    let place = ORDER.iter().position(|same| same.iter().any(|known| known.eq_ignore_ascii_case(ext)));
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_extensions_are_split_off() {
        assert_eq!(split("fig1.jpg"), ("fig1", Some("jpg")));
        assert_eq!(split("fig1.v2.TIFF"), ("fig1.v2", Some("TIFF")));
        assert_eq!(split("pone.0001.g001"), ("pone.0001.g001", None));
        assert_eq!(split("fig1"), ("fig1", None));
        assert_eq!(split(".jpg"), (".jpg", None));
        assert_eq!(split("a.gif/.png"), ("a.gif/.png", None));
        assert_eq!(split("a.gif/b"), ("a.gif/b", None));
        assert_eq!(split(""), ("", None));
    }

    #[test]
    fn rank_prefers_jpeg_then_png_then_tiff_then_gif() {
        assert_eq!(["JPG", "jpeg", "png", "tif", "TIFF", "gif", "svg", ""].map(rank), [0, 0, 1, 2, 2, 3, 4, 4]);
    }
}
