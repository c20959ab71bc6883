use super::*;

#[test]
fn show() {
    for text in [
        "a: [b\n",
        "---\npatterns:\n  - [bad-yaml\n",
        "a: [\n",
        "a: b: c\n",
        "a:\n\t- b\n",
        "a: \"b\n",
        "a: {b: c\n",
        "a: b\n c\nd\ne: f\n",
        "a:\n- b\nc\n",
        "a: *x\n",
        "a: ]\n",
        "a: [b\nc: d]\n e: [\n",
        "a:\n  - b\n c: d\n",
        "a: &x [*x]\n",
        "%FOO\n---\n",
        "? a\n",
        ": x",
        "\0",
        "a: 'b' c\n",
        "@a",
        "a: @b\n",
        "- a\nb: c\n",
    ] {
        println!("{text:?} -> {:?}", parse(text).map(|d| d.root));
    }
}
