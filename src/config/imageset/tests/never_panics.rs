//! Hostile text never panics.

use proptest::prelude::*;

use super::*;

/// Pieces that get far into the schema.
const PIECES: [&str; 24] = [
    V1_HEAD,
    V2_HEAD,
    "mirror:\n",
    "  platform:\n",
    "    channels:\n",
    "  operators:\n",
    "    - catalog: a/b:c\n",
    "      packages:\n",
    "        - name: ",
    "          minVersion: 1.0\n",
    "  additionalImages:\n",
    "  - name: x\n",
    "null",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "<<: ",
    "- ",
    "'",
    "\u{feff}",
    "\t",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn on_any_text(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn on_shuffled_pieces(indices in prop::collection::vec(0..PIECES.len(), 0..40)) {
        let text: String = indices.iter().map(|i| PIECES[*i]).collect();
        check(&text);
    }

    #[test]
    fn on_a_damaged_file(place in 0..800_usize, insert in "[\\PC\n]{0,3}", cut in any::<bool>()) {
        let mut text = format!("{V1_HEAD}{EVERYTHING_V1}");
        if let Some((at, _)) = text.char_indices().nth(place) {
            if cut {
                text.truncate(at);
            }
            text.insert_str(at, &insert);
        }
        check(&text);
    }
}

fn check(text: &str) {
    match parse("f", text) {
        Ok(parsed) => drop(selection_errors("f", &parsed.imageset)),
        Err(findings) => assert!(!findings.is_empty()),
    }
    let _ = crate::config::filter::ImageFilter::parse("f", text);
}
