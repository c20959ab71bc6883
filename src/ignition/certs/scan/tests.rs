use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const PEM: &str = "-----BEGIN CERTIFICATE-----\nQUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2\nd3h5ejAxMjM0NTY3ODkrLw==\n-----END CERTIFICATE-----\n";

/// Replaces every block by `new`; tells the places.
fn replace(input: &str, new: &[u8]) -> (Option<String>, Vec<String>) {
    let mut places = Vec::new();
    let out = text(
        "F",
        input,
        &mut |place: &Place, _: &str, _: Option<&[u8]>| {
            places.push(place.to_string());
            Some(new.to_vec())
        },
    );
    (out, places)
}

fn b64(text: &str) -> String {
    STANDARD.encode(text)
}

fn fold(text: &str, indent: &str) -> String {
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    lines.join(&format!("\n{indent}"))
}

fn indented(pem: &str) -> String {
    pem.trim_end().replace('\n', "\n    ")
}

type Wrap = Box<dyn Fn(&str) -> String>;

/// The place that is told, and what wraps a PEM block.
fn wrappings() -> Vec<(&'static str, Wrap)> {
    vec![
        ("F", Box::new(|pem: &str| format!("# text\n{pem}more"))),
        ("F", Box::new(|pem: &str| pem.replace('\n', "\r\n"))),
        (
            "F: ca.crt",
            Box::new(|pem: &str| format!("data:\n  ca.crt: |\n    {}\n  x: y\n", indented(pem))),
        ),
        (
            "F: ca.crt",
            Box::new(|pem: &str| format!("{{\"ca.crt\":\"{}\"}}", pem.replace('\n', "\\n"))),
        ),
        (
            "F: tls.crt",
            Box::new(|pem: &str| format!("  tls.crt: {}\n  tls.key: z\n", b64(pem))),
        ),
        (
            "F: tls.crt",
            Box::new(|pem: &str| format!("  \"tls.crt\": \"{}\",\n", b64(pem))),
        ),
        (
            "F: tls.crt",
            Box::new(|pem: &str| {
                format!(
                    "  tls.crt: !!binary |\n    {}\n  tls.key: z\n",
                    fold(&b64(pem), "    ")
                )
            }),
        ),
        (
            "F: source",
            Box::new(|pem: &str| {
                format!(
                    "{{\"source\":\"data:text/plain;charset=utf-8;base64,{}\"}}",
                    b64(pem)
                )
            }),
        ),
        (
            "F: userData: source",
            Box::new(|pem: &str| {
                let url = format!("{{\"source\":\"data:;base64,{}\"}}", b64(pem));
                format!("  userData: {}\n", b64(&url))
            }),
        ),
    ]
}

#[test]
fn every_wrapping_both_ways() {
    let longer = "x".repeat(100);
    let new = PEM.replace(
        PEM.split_once("-----\n")
            .unwrap()
            .1
            .split_once("\n---")
            .unwrap()
            .0,
        &b64(&longer)
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect::<Vec<_>>()
            .join("\n"),
    );
    for (place, wrap) in wrappings() {
        let (out, places) = replace(&wrap(PEM), longer.as_bytes());
        assert_eq!(out.as_deref(), Some(wrap(&new).as_str()));
        assert_eq!(places, [place]);
    }
}

#[test]
fn percent_and_gzip() {
    let url = DataUrl::parse("data:,x")
        .unwrap()
        .with_bytes(PEM.as_bytes());
    let (out, places) = replace(&format!("a: {url} b"), b"new");
    let out = out.unwrap();
    assert!(
        out.contains("-----BEGIN%20CERTIFICATE-----%0Abmv3%0A") || out.contains("bmV3"),
        "{out}"
    );
    assert!(out.ends_with(" b") && places == ["F: a"]);

    let packed = gzip(PEM.as_bytes());
    let mut seen = 0;
    let changed = bytes("F", &packed, &mut |_: &Place, _: &str, _: Option<&[u8]>| {
        seen += 1;
        Some(b"new".to_vec())
    });
    let inner = data_url::gunzip(&changed.unwrap(), CAP).unwrap();
    assert!(String::from_utf8(inner).unwrap().contains("\nbmV3\n"));
    assert_eq!(seen, 1);
}

#[test]
fn bundles_are_counted() {
    let (_, places) = replace(&format!("{PEM}{PEM}ca: |\n{PEM}{PEM}"), b"n");
    assert_eq!(places, ["F", "F #2", "F: ca", "F: ca #2"]);
}

#[test]
fn nothing_found_nothing_changed() {
    for text in [
        "",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE REQUEST-----\nQUJD\n-----END CERTIFICATE REQUEST-----",
        "data:;base64,!!!",
        &"A".repeat(1000),
    ] {
        assert_eq!(replace(text, b"new").0, None, "{text}");
    }
    for endless in [
        "-----BEGIN CERTIFICATE-----\n".repeat(40_000),
        "-----BEGIN CERTIFICATE-----\n".repeat(40_000) + "-----END ",
        "-----BEGIN CERTIFICATE----------END ".repeat(40_000),
    ] {
        let begin = std::time::Instant::now();
        assert_eq!(replace(&endless, b"new").0, None);
        assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
    }
}

proptest::proptest! {
    /// Configs come from anywhere: any text is looked through, and a block put into its own place changes nothing.
    #[test]
    fn any_text(
        pieces in proptest::collection::vec((0_usize..9, "\\PC{0,12}"), 0..12),
        wrap in 0_usize..9,
    ) {
        let mut input = String::new();
        for (kind, noise) in pieces {
            let pem = match kind {
                0 => PEM.to_owned(),
                1 => PEM.get(..noise.len() * 20).unwrap_or(PEM).to_owned(),
                2 => b64(PEM),
                3 => "-----END CERTIFICATE-----".to_owned(),
                4 => "data:;base64,".to_owned(),
                5 => "\\n\r\n  ".to_owned(),
                _ => String::new(),
            };
            input += &pem;
            input += &noise;
        }
        let wrappings = wrappings();
        let input = wrappings.get(wrap).map_or(input.clone(), |(_, wrap)| wrap(&input));
        let same = text("F", &input, &mut |_: &Place, _: &str, der: Option<&[u8]>| {
            der.map(<[u8]>::to_vec)
        });
        if let Some(same) = same {
            proptest::prop_assert_eq!(same.len(), input.len());
        }
    }
}
