//! SHA-256 of ISOs that differ from one base by their plans only: the base is read once for all of them.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::changes::Plan;
use super::error::IsoError;
use super::source::{ReadAt, read};

/// Fits into the second-level cache together with the states.
const CHUNK: u64 = 512 << 10;

/// The digests, hex, of what `plans` make of `source`, in their order.
///
/// # Errors
/// A read fails.
pub fn digests(source: &dyn ReadAt, plans: &[Arc<Plan>]) -> Result<Vec<String>, IsoError> {
    let mut states: Vec<Sha256> = plans.iter().map(|_| Sha256::new()).collect();
    let end = plans.iter().map(|plan| plan.new_size).max().unwrap_or(0);
    let mut at = 0;
    while at < end {
        let length = CHUNK.min(end - at);
        let base = base(source, plans, at, length)?;
        for (plan, state) in plans.iter().zip(&mut states) {
            hash(state, plan, at, &base);
        }
        at += length;
    }
    let digests = states
        .into_iter()
        .map(|state| hex::encode(state.finalize()));
    Ok(digests.collect())
}

/// What is in the base, and zeroes after its end.
fn base(
    source: &dyn ReadAt,
    plans: &[Arc<Plan>],
    at: u64,
    length: u64,
) -> Result<Vec<u8>, IsoError> {
    let size = plans.iter().map(|plan| plan.old_size).max().unwrap_or(0);
    let there = size.saturating_sub(at).min(length);
    let mut base = if there == 0 {
        Vec::new()
    } else {
        read(source, at, there)?
    };
    base.resize(usize::try_from(length).unwrap_or_default(), 0);
    Ok(base)
}

fn hash(state: &mut Sha256, plan: &Plan, at: u64, base: &[u8]) {
    let own = usize::try_from(plan.new_size.saturating_sub(at)).unwrap_or(usize::MAX);
    let base = base.get(..own.min(base.len())).unwrap_or_default();
    let end = at + base.len() as u64;
    let touched = |region: &&super::Region| region.offset < end && region.end() > at;
    let mut touching = plan.regions.iter().filter(touched).peekable();
    if touching.peek().is_none() {
        state.update(base);
        return;
    }
    let mut chunk = base.to_vec();
    for region in touching {
        region.copy_into(at, &mut chunk);
    }
    state.update(&chunk);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso::fixtures::{apply, load};
    use crate::iso::{Change, Changes, LiveIso};

    #[test]
    fn digests_are_those_of_the_files() {
        let Some(iso) = load("sample") else {
            return;
        };
        let source = iso.as_slice();
        let opened = LiveIso::read(&source).unwrap();
        let plan = |length: u32| {
            let config = (0..length).flat_map(|i| i.wrapping_mul(0x9e37_79b9).to_le_bytes());
            let changes = Changes {
                ignition: Change::Set(config.collect()),
                may_grow: true,
                ..Changes::default()
            };
            Arc::new(Plan::new(&source, &opened, &changes).unwrap())
        };
        let plans = [plan(10), plan(150_000), plan(200)];
        let expected: Vec<String> = plans
            .iter()
            .map(|plan| hex::encode(Sha256::digest(apply(iso.clone(), plan))))
            .collect();
        assert_eq!(digests(&source, &plans).unwrap(), expected);
    }
}
