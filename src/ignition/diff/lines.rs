//! A unified diff of two texts.
//!
//! Common lines at both ends are cut off first; what remains is compared by the longest common subsequence, and when it is too large
//! for that, told as one block replaced by another.

/// Lines of context around a change.
const CONTEXT: usize = 3;
/// Cells of the comparison table; above, the middle is not compared line by line. 16 MiB of memory.
const LARGEST_TABLE: usize = 4 << 20;

/// One line of the edit script.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Keep,
    Delete,
    Insert,
}

/// The hunks, each with its `@@` head; empty when the texts are equal.
pub(super) fn unified(old: &str, new: &str) -> String {
    let (a, b) = (split(old), split(new));
    let script = script(&a, &b);
    let mut out = String::new();
    for (start, end) in hunks(&script) {
        write_hunk(&mut out, &script, (start, end), (&a, &b));
    }
    out
}

/// Lines with their line feed, so that a missing one at the end counts.
fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn script(a: &[&str], b: &[&str]) -> Vec<Op> {
    let prefix = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (
        a.get(prefix..).unwrap_or_default(),
        b.get(prefix..).unwrap_or_default(),
    );
    let suffix = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(x, y)| x == y)
        .count();
    let a = a.get(..a.len() - suffix).unwrap_or_default();
    let b = b.get(..b.len() - suffix).unwrap_or_default();
    let mut ops = vec![Op::Keep; prefix];
    if (a.len() + 1) * (b.len() + 1) > LARGEST_TABLE {
        ops.extend(std::iter::repeat_n(Op::Delete, a.len()));
        ops.extend(std::iter::repeat_n(Op::Insert, b.len()));
    } else {
        middle(a, b, &mut ops);
    }
    ops.extend(std::iter::repeat_n(Op::Keep, suffix));
    ops
}

/// The longest common subsequence, by the table of lengths from the end.
fn middle(a: &[&str], b: &[&str], ops: &mut Vec<Op>) {
    let width = b.len() + 1;
    let mut table = vec![0_u32; (a.len() + 1) * width];
    let at = |table: &[u32], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
    for (i, x) in a.iter().enumerate().rev() {
        for (j, y) in b.iter().enumerate().rev() {
            let length = if x == y {
                at(&table, i + 1, j + 1) + 1
            } else {
                at(&table, i + 1, j).max(at(&table, i, j + 1))
            };
            if let Some(cell) = table.get_mut(i * width + j) {
                *cell = length;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        if x == y {
            ops.push(Op::Keep);
            (i, j) = (i + 1, j + 1);
        } else if at(&table, i + 1, j) >= at(&table, i, j + 1) {
            ops.push(Op::Delete);
            i += 1;
        } else {
            ops.push(Op::Insert);
            j += 1;
        }
    }
    ops.extend(std::iter::repeat_n(Op::Delete, a.len() - i));
    ops.extend(std::iter::repeat_n(Op::Insert, b.len() - j));
}

/// Ranges of the script that hold changes with their context; neighbours are joined.
fn hunks(script: &[Op]) -> Vec<(usize, usize)> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for (at, _) in script.iter().enumerate().filter(|(_, op)| **op != Op::Keep) {
        let (start, end) = (
            at.saturating_sub(CONTEXT),
            (at + 1 + CONTEXT).min(script.len()),
        );
        match ranges.last_mut() {
            Some(last) if start <= last.1 => last.1 = end,
            _ => ranges.push((start, end)),
        }
    }
    ranges
}

fn write_hunk(
    out: &mut String,
    script: &[Op],
    (start, end): (usize, usize),
    (a, b): (&[&str], &[&str]),
) {
    let before = script.get(..start).unwrap_or_default();
    let ops = script.get(start..end).unwrap_or_default();
    let count = |ops: &[Op], not: Op| ops.iter().filter(|op| **op != not).count();
    let (mut i, mut j) = (count(before, Op::Insert), count(before, Op::Delete));
    let (old, new) = (count(ops, Op::Insert), count(ops, Op::Delete));
    // An empty side counts from the line before, as diff(1) does.
    let (from, to) = (i + usize::from(old > 0), j + usize::from(new > 0));
    let head = format!("@@ -{from},{old} +{to},{new} @@\n");
    out.push_str(&head);
    for op in ops {
        let (sign, line) = match op {
            Op::Keep => (' ', a.get(i)),
            Op::Delete => ('-', a.get(i)),
            Op::Insert => ('+', b.get(j)),
        };
        i += usize::from(*op != Op::Insert);
        j += usize::from(*op != Op::Delete);
        let line = line.copied().unwrap_or_default();
        out.push(sign);
        *out += line;
        if !line.ends_with('\n') {
            *out += "\n\\ No newline at end of file\n";
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_diff_u() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\nten";
        assert_eq!(
            unified(old, new),
            "@@ -2,8 +2,9 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n 9\n+ten\n\\ No newline at end of file\n"
        );
        assert_eq!(unified("", "a\n"), "@@ -0,0 +1,1 @@\n+a\n");
        assert_eq!(unified("a\n", ""), "@@ -1,1 +0,0 @@\n-a\n");
        assert_eq!(unified("a\n", "a\n"), "");
    }

    #[test]
    fn too_large_is_one_block() {
        let many = |c: &str| format!("head\n{}tail\n", format!("{c}\n").repeat(3000));
        let text = unified(&many("a"), &many("b"));
        assert_eq!(text.lines().filter(|l| *l == "-a").count(), 3000);
        assert!(text.starts_with("@@ -1,3002 +1,3002 @@\n head\n-a\n"));
    }

    proptest::proptest! {
        #[test]
        fn the_script_makes_the_new_text(old in "[ab\n]{0,60}", new in "[ab\n]{0,60}") {
            let (a, b) = (split(&old), split(&new));
            let (mut i, mut j) = (0, 0);
            let mut made = String::new();
            for op in script(&a, &b) {
                match op {
                    Op::Keep => { assert_eq!(a[i], b[j]); made += a[i]; i += 1; j += 1; }
                    Op::Delete => i += 1,
                    Op::Insert => { made += b[j]; j += 1; }
                }
            }
            assert_eq!((i, j, made), (a.len(), b.len(), new.clone()));
        }
    }
}
