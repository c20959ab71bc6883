//! QR codes (ISO/IEC 18004) as one SVG path: black on white in any theme, since scanners expect that.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

use super::html::Text;

/// Light modules around the code, as the standard asks for.
const QUIET: usize = 4;

/// The code of a text; none when it has more than 2331 bytes. Level M: a thumb print or a fold does no harm.
pub(super) fn svg(text: &str, title: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let side = code.width() + 2 * QUIET;
    let colours = code.to_colors();
    let mut path = String::new();
    for (y, row) in colours.chunks(code.width().max(1)).enumerate() {
        // Strokes as high as a module: each run costs a few characters only.
        let mut pen = None;
        let mut x = QUIET;
        for run in row.chunk_by(|a, b| a == b) {
            if run.first() == Some(&Color::Dark) {
                let length = run.len();
                let _ = match pen {
                    None => write!(path, "M{x} {}.5h{length}", y + QUIET),
                    Some(end) => write!(path, "m{} 0h{length}", x - end),
                };
                pen = Some(x + length);
            }
            x += run.len();
        }
    }
    Some(format!(
        "<svg class=\"qr\" viewBox=\"0 0 {side} {side}\" role=\"img\" shape-rendering=\"crispEdges\"><title>{}</title><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path stroke=\"#000\" d=\"{path}\"/></svg>",
        Text(title)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the code as a camera would see it: the path is painted, then decoded by another implementation.
    fn decode(svg: &str) -> String {
        let number = |text: &str| text.parse::<usize>().unwrap();
        let (_, head) = svg.split_once("viewBox=\"0 0 ").unwrap();
        let side = number(head.split_once(' ').unwrap().0);
        let (_, path) = svg.split_once("stroke=\"#000\" d=\"").unwrap();
        let path = path.split_once('"').unwrap().0;
        let mut dark = vec![false; side * side];
        let (mut x, mut y) = (0, 0);
        // "M4 4.5" | "7m1 0" | "7M4 5.5" | "7": the length of the last stroke, and where the next begins.
        for stroke in path.split('h') {
            let (length, next) = stroke.split_at(stroke.find(['M', 'm']).unwrap_or(stroke.len()));
            if !length.is_empty() {
                dark[y * side + x..][..number(length)].fill(true);
                x += number(length);
            }
            match next.split_once(' ') {
                Some((to, row)) if next.starts_with('M') => {
                    (x, y) = (number(&to[1..]), number(row.strip_suffix(".5").unwrap()));
                }
                Some((by, "0")) => x += number(&by[1..]),
                Some(_) => panic!("{next}"),
                None => {}
            }
        }
        let scale = 4;
        let pixel = |x: usize, y: usize| {
            if dark[y / scale * side + x / scale] {
                0
            } else {
                255
            }
        };
        let width = side * scale;
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, width, pixel);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "one code");
        grids[0].decode().unwrap().1
    }

    #[test]
    fn another_reader_reads_it() {
        for text in [
            "a".to_owned(),
            "{\"host\":\"bip-1\",\"dns\":[\"fd00::1\"]}".repeat(11),
            "ä€ <\"&".to_owned(),
        ] {
            let svg = svg(&text, "<x>").unwrap();
            assert_eq!(decode(&svg), text);
            assert!(svg.contains("<title>&lt;x&gt;</title>"));
        }
        assert!(svg(&"x".repeat(3000), "").is_none());
    }
}
