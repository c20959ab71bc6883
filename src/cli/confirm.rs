//! Asks a person: a typed word before something is lost, a choice among disks.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use super::exit::{Exit, Failure};

/// One line from the terminal; `None` when there is none to ask on.
fn ask(prompt: &str) -> Option<String> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return None;
    }
    let _ = write!(std::io::stderr(), "{prompt}");
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    read.ok().map(|_| answer.trim().to_owned())
}

/// Goes on when the word is typed.
///
/// # Errors
/// There is no terminal, or something else was typed.
pub(super) fn typed(word: &str) -> Result<(), Failure> {
    match ask(&format!("Type `{word}` to go on: ")) {
        Some(answer) if answer == word => Ok(()),
        Some(_) => Err(Failure::new(
            Exit::Interrupted,
            "not confirmed; nothing was written",
        )),
        None => {
            let failure = Failure::new(
                Exit::Usage,
                "no terminal to ask on, and --yes was not given",
            );
            Err(failure.hint("read the plan above, then add --yes"))
        }
    }
}

/// The numbers, from 1 to `count`, that a person typed; `None` when there is no terminal.
///
/// # Errors
/// Something else was typed.
pub(super) fn numbers(prompt: &str, count: usize) -> Result<Option<Vec<usize>>, Failure> {
    let Some(answer) = ask(prompt) else {
        return Ok(None);
    };
    let words = answer.split([' ', ',']).filter(|word| !word.is_empty());
    let number = |word: &str| word.parse().ok().filter(|n| (1..=count).contains(n));
    let chosen: Option<Vec<usize>> = words.map(number).collect();
    match chosen {
        Some(chosen) if !chosen.is_empty() => Ok(Some(chosen)),
        _ => {
            let message = format!("`{answer}` is no choice; nothing was written");
            Err(Failure::new(Exit::Usage, message).hint("type numbers of the list"))
        }
    }
}
