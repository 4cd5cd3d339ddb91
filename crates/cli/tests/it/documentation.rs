//! `docs/cli.md` has every check and every command.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::World;

const DOCS: &str = include_str!("../../../../docs/cli.md");

#[test]
fn every_check_is_documented() {
    let rows = DOCS.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |")).map(|(id, _)| id);
    let is_id = |id: &&str| id.len() <= 3 && id.starts_with(['A', 'T', 'O', 'E']) && id[1..].parse::<u8>().is_ok();
    let documented: BTreeSet<_> = rows.filter(is_id).map(str::to_owned).collect();
    let world = World::with_hooks();
    let (_, report) = world.run_json(&["doctor", "--send-to-me"]);
    let id = |check: &Value| check["id"].as_str().unwrap().to_owned();
    let reported: BTreeSet<_> = report["checks"].as_array().unwrap().iter().map(id).collect();
    assert_eq!(documented, reported);
    assert!(reported.len() > 38, "{reported:?}");
}

#[test]
fn every_command_is_documented() {
    let help = World::healthy().run(&["--help"]).stdout;
    let commands = help.split_once("Commands:").unwrap().1.split_once("\n\n").unwrap().0;
    // A text that continues on the next line is indented further.
    let names = commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    for command in names.filter(|name| !["", "help"].contains(name)) {
        assert!(DOCS.contains(&format!("`okta-twilio {command}")), "{command} is not in docs/cli.md");
    }
}
