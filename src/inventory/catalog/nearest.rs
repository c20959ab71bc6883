//! Suggestions: the existing names and versions nearest to one that does not exist.

use super::listing::compare_versions;

/// Returns up to `count` of the names nearest to `wanted` by edit distance, nearest first.
/// Names that differ in more than half of their letters are left out, unless nothing else is left.
pub(in crate::inventory) fn names<'a>(
    wanted: &str,
    all: impl IntoIterator<Item = &'a str>,
    count: usize,
) -> Vec<&'a str> {
    let mut scored: Vec<_> = all
        .into_iter()
        .map(|name| (distance(wanted, name), name))
        .collect();
    scored.sort_unstable();
    scored.dedup();
    let limit = wanted.chars().count().div_ceil(2);
    let near = scored.iter().filter(|(d, _)| *d <= limit).count();
    let count = if near == 0 { count } else { near.min(count) };
    scored
        .into_iter()
        .take(count)
        .map(|(_, name)| name)
        .collect()
}

/// Returns up to `count` versions around the place where `wanted` would stand, rising.
pub(in crate::inventory) fn versions<'a>(
    wanted: &str,
    all: impl IntoIterator<Item = &'a str>,
    count: usize,
) -> Vec<&'a str> {
    let mut sorted: Vec<_> = all.into_iter().collect();
    sorted.sort_unstable_by(|a, b| compare_versions(a, b));
    sorted.dedup();
    let place = sorted.partition_point(|v| compare_versions(v, wanted).is_lt());
    let start = place.saturating_sub(count.div_ceil(2));
    let start = start.min(sorted.len().saturating_sub(count));
    sorted.into_iter().skip(start).take(count).collect()
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut above_left = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let substituted = above_left + usize::from(x != *y);
            above_left = *cell;
            left = substituted.min(*cell + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}
