//! Lets a person choose among the disks that are free.

use super::list::{HEADER, Listed, all};
use crate::cli::confirm::numbers;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::disk::Device;
use crate::ui::table;

/// One free disk, chosen at the terminal; `what` names the flag or argument that would have named it.
///
/// # Errors
/// No terminal, no free disk, or no choice.
pub(in crate::cli) fn choose_one(context: &Context, what: &str) -> Result<Device, Failure> {
    let mut chosen = choose(context, what, "Number of the disk: ")?;
    match (chosen.pop(), chosen.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(Failure::new(
            Exit::Usage,
            "one disk only; nothing was written",
        )),
    }
}

/// One free disk or several.
///
/// # Errors
/// No terminal, no free disk, or no choice.
pub(super) fn choose(context: &Context, what: &str, prompt: &str) -> Result<Vec<Device>, Failure> {
    let free = |disk: &Listed| disk.device.uses.is_empty() && !disk.device.read_only;
    let free: Vec<Listed> = all()?.into_iter().filter(free).collect();
    let missing = || {
        let failure = Failure::new(Exit::Usage, format!("{what} is missing"));
        failure
            .hint("`snoforge disk list` shows the disks; name one by its path, serial=… or wwn=…")
    };
    if free.is_empty() {
        let failure = Failure::new(Exit::Usage, "no disk is free");
        return Err(failure.hint("plug one in; `snoforge disk list` shows who uses the others"));
    }
    let rows = free.iter().zip(1..).map(|(disk, number): (_, usize)| {
        let mut row = vec![number.to_string()];
        row.extend(disk.row());
        row
    });
    let header: Vec<&str> = std::iter::once("NO").chain(HEADER).collect();
    context.say(&table::render(&header, rows.collect(), &[0, 2]));
    let chosen = numbers(prompt, free.len())?.ok_or_else(missing)?;
    let device = |n: usize| free.get(n - 1).map(|disk| disk.device.clone());
    Ok(chosen.into_iter().filter_map(device).collect())
}
