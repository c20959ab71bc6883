//! The file says what the flags of the verbs say, no more and no less.

use std::collections::BTreeSet;

use clap::CommandFactory as _;

use super::lines;
use crate::cli::{Cli, parse};
use crate::config::factory::{Factory, Section, TEMPLATE};

/// Flags that are about the run, or that the steps set themselves.
const OF_THE_RUN: [&str; 14] = [
    "help",
    "output",
    "progress",
    "verbose",
    "quiet",
    "dry-run",
    "yes",
    "testmode",
    "skip-imageset",
    "generate-imageset",
    "refresh",
    "populate",
    "hub-version",
    "sites",
];
/// Flags that mean one machine, or another job.
const OF_ONE: [&str; 4] = ["hostname", "ip", "reset", "keep"];
/// Flags of `ignition create` that other sections say.
const OF_OTHERS: [&str; 12] = [
    "cluster",
    "domain",
    "interface",
    "netmask",
    "gateway",
    "nameserver",
    "vlan",
    "bond",
    "installation-disk",
    "folder",
    "release",
    "config-only",
];

#[test]
fn every_flag_of_the_verbs_is_a_field() {
    for (path, sections) in [
        (
            ["precache", "download"],
            &[Section::Release, Section::Download][..],
        ),
        (["precache", "partition"], &[Section::Disk]),
        (["iso", "build"], &[Section::Iso]),
        (["ignition", "create"], &[Section::Install]),
    ] {
        let root = Cli::command();
        let verbs = root.find_subcommand(path[0]).unwrap();
        let verb = verbs.find_subcommand(path[1]).unwrap();
        let flags = verb.get_arguments().filter_map(|arg| {
            let short = arg.get_short().map(String::from);
            arg.get_long().map(str::to_owned).or(short)
        });
        let exempt = |flag: &String| {
            OF_THE_RUN.contains(&flag.as_str())
                || OF_ONE.contains(&flag.as_str())
                // The credentials are those of the download.
                || (path == ["iso", "build"] && flag == "authfile")
                // The sites and the release are those of the other sections.
                || (path == ["ignition", "create"] && OF_OTHERS.contains(&flag.as_str()))
        };
        let flags: BTreeSet<String> = flags.filter(|flag| !exempt(flag)).collect();
        let fields = sections.iter().flat_map(|section| section.fields());
        let fields = fields.filter(|field| !field.flag.is_empty());
        let fields: BTreeSet<String> = fields.map(|field| field.flag.to_owned()).collect();
        assert_eq!(flags, fields, "{path:?}");
    }
}

#[test]
fn every_step_is_a_command_line() {
    let factory = Factory::parse("bench/factory.yaml", TEMPLATE).unwrap();
    let disks: Vec<_> = factory.disks.iter().collect();
    let file = std::path::Path::new("a b.partial");
    let mut iso = factory.iso.clone().unwrap();
    for line in [
        lines::inventory(&factory),
        lines::download(&factory),
        lines::partition(disks[0]),
        lines::image(&factory, disks[1], file),
        lines::copy(&factory, "data", &disks),
    ] {
        parse(&line).unwrap();
    }
    let install = factory.install.clone().unwrap();
    parse(&lines::clusters(&factory, &install, &iso)).unwrap();
    // The template shows everything at once; these exclude each other.
    let with_keyfile = parse(&lines::isos(&factory, &iso));
    assert!(with_keyfile.is_ok(), "{:?}", with_keyfile.err());
    iso.sites.value = Some("sites.csv".into());
    let line = lines::shown(&lines::isos(&factory, &iso));
    assert!(line.ends_with(" --sites=sites.csv"), "{line}");
    let line = lines::shown(&lines::image(&factory, disks[1], file));
    assert!(
        line.contains("'--device=a b.partial' --populate=bench/data"),
        "{line}"
    );
}
